// What stands side by side, in words: the sentence at the top of compare.html and what its lists say.
(function () {
  "use strict";
  var plain = window.HUBFIT.plain;

  function count(value) { return plain(value, "count"); }
  function plural(value, one) { return count(value) + " " + one + (value === 1 ? "" : "s"); }

  // A; A and B; A, B and C
  function listed(words, last) {
    if (words.length < 2) return words.join("");
    return words.slice(0, -1).join(", ") + " " + (last || "and") + " " + words[words.length - 1];
  }

  // "runs 3 of 9" of the first, "on 2" of those that follow: what is alike is said once
  function each(rows, name, first, next) {
    return listed(rows.map(function (row, i) { return (i ? next : first)(row, name(row)); }));
  }

  function idOf(row) { return row.model_id; }
  function nameOf(row) { return row.name; }

  function reach(rows, told) {
    var held = rows.filter(function (row) { return row.fits_on > 0; });
    var others = rows.filter(function (row) { return !(row.fits_on > 0); });
    var said = [];
    if (held.length) said.push(each(held, idOf, function (row, id) {
      return id + " fits on " + count(row.fits_on) + " of " + plural(told.devices, "device");
    }, function (row, id) { return id + " on " + count(row.fits_on); }));
    if (others.length) said.push("no single device is known to hold " + listed(others.map(idOf), "or"));
    return said;
  }

  // what is old is said where it decides
  function price(usd, isStale, unit) { return plain(usd, "usd") + unit + (isStale ? " (stale)" : ""); }

  function cheapest(rows) {
    var priced = rows.filter(function (row) { return row.cheapest; });
    var others = rows.filter(function (row) { return !row.cheapest; });
    if (!priced.length) return ["no sure way with a price is known"];
    var said = [each(priced, idOf, function (row, id) {
      return "the cheapest sure way costs " + price(row.cheapest.usd_per_hour, row.cheapest.is_stale, " per hour") + " for " + id;
    }, function (row, id) { return price(row.cheapest.usd_per_hour, row.cheapest.is_stale, "") + " for " + id; })];
    if (others.length) said.push("none with a price is known for " + listed(others.map(idOf), "or"));
    return said;
  }

  function models(rows, told) {
    return "For " + told.served[1] + ", " + reach(rows, told).concat(cheapest(rows)).join("; ") + ".";
  }

  function devices(rows, told) {
    if (!told.models)
      return "No model was read this night, so nothing can be said about " + listed(rows.map(nameOf)) + ".";
    function runs(row) { return row.models_on_one ? count(row.models_on_one) : "none"; }
    var known = rows.filter(function (row) { return row.models_on_one !== null; });
    var unknown = rows.filter(function (row) { return row.models_on_one === null; });
    var said = [], largest = rows.filter(function (row) { return row.largest_model; });
    var priced = rows.filter(function (row) { return row.usd_per_gpu_hour !== null; });
    var others = rows.filter(function (row) { return row.usd_per_gpu_hour === null; });
    if (known.length) said.push(each(known, nameOf, function (row, name) {
      return "of " + plural(told.models, "model") + " (" + told.first[1] + ") one " + name + " runs " + runs(row);
    }, function (row, name) { return "one " + name + " " + runs(row); }));
    if (unknown.length) said.push("how many run on " + listed(unknown.map(nameOf), "or") + " is unknown");
    if (largest.length) said.push(each(largest, nameOf, function (row, name) {
      return "the largest is " + row.largest_model + " on " + name;
    }, function (row, name) { return row.largest_model + " on " + name; }));
    if (priced.length) said.push(each(priced, nameOf, function (row, name) {
      return "an hour costs " + price(row.usd_per_gpu_hour, row.is_stale, "") + " for " + name;
    }, function (row, name) { return price(row.usd_per_gpu_hour, row.is_stale, "") + " for " + name; }));
    if (others.length) said.push("no price to rent is known for " + listed(others.map(nameOf), "or"));
    var sentence = said.join("; ");
    return sentence.charAt(0).toUpperCase() + sentence.slice(1) + ".";
  }

  // Which of them do, as a reader would call it; null where that is unknown of one of them.
  function who(answers, names) {
    if (answers.indexOf(null) >= 0) return null;
    var those = names.filter(function (_, i) { return answers[i]; });
    if (those.length === names.length) return names.length === 2 ? "both" : "all";
    if (!those.length) return names.length === 2 ? "neither" : "none";
    return "only " + listed(those);
  }

  // "only A: 3 devices, such as X and Y"; `found` are the names of those
  function tallied(group, found, one) {
    var some = found.slice(0, 5);
    return (group === null ? "unknown of at least one" : group) + ": " + plural(found.length, one)
      + (found.length > some.length ? ", such as " : ": ") + listed(some);
  }

  function alone(name, one) { return "Choose one more " + one + " to put beside " + name + "."; }

  window.HUBFIT.words = {
    models: models, devices: devices, who: who, tallied: tallied, listed: listed, plural: plural, alone: alone
  };
})();
