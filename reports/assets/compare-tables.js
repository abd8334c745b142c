// The tables of compare.html: facts, needs and speeds side by side, and what one does and the other does not.
(function () {
  "use strict";
  var HUBFIT = window.HUBFIT, plain = HUBFIT.plain, words = HUBFIT.words, element = HUBFIT.element;
  var told = JSON.parse(document.getElementById("compare-data").textContent);
  var SVG = "http://www.w3.org/2000/svg";

  function isNull(value) { return value === null || value === undefined; }
  function join(parent, parts) {
    parts.forEach(function (part) { if (!isNull(part)) parent.append(part); });
    return parent;
  }
  function known(value, kind) {
    return isNull(value) ? element("span", { className: "unknown", textContent: plain(value, kind) }) : plain(value, kind);
  }
  function code(text) { return element("code", { textContent: text }); }
  function link(href, text) { return element("a", { href: href, textContent: text }); }
  function modelHref(slug) { return "models/" + slug + ".html"; }
  function deviceLink(device) { return link("devices/" + device.slug + ".html", device.name); }
  function line() { return join(element("span", { className: "part" }), Array.prototype.slice.call(arguments)); }
  function stale(is) { return is ? join(element("span", {}), [" ", element("span", { className: "stale", textContent: told.stale })]) : null; }
  function verdict(letter) {
    var word = told.letters[letter] || "unknown";
    return element("span", { className: "verdict v-" + word, textContent: plain(word, "verdict") });
  }
  function aged(day, days) {
    return line("price of ", known(day), ", ", isNull(days) ? known(null) : words.plural(days, "day"), " old");
  }

  function section(title, note, source) {
    var made = element("section", {});
    element("h2", { textContent: title }, made);
    element("p", { className: "note", textContent: note }, made);
    // names of views stand between backticks
    join(element("p", { className: "source" }, made), ("Read from " + source + ".").split("`").map(function (part, i) {
      return i % 2 ? code(part) : part;
    }));
    return made;
  }

  function scrolled(made, table) {
    var box = element("div", { className: "scroll", tabIndex: 0 });
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", made.querySelector("h2").textContent);
    box.append(table);
    made.insertBefore(box, made.querySelector(".source"));
    return made;
  }

  // A row a property, a column a model or device; a cell is a list of what stands in it.
  function sideBySide(made, heads, rows) {
    var table = element("table", { className: "versus" }), head = element("tr", {}, element("thead", {}, table));
    var body = element("tbody", {}, table);
    join(element("th", { scope: "col" }, head), [element("span", { className: "vh", textContent: "Property" })]);
    heads.forEach(function (part) { join(element("th", { scope: "col" }, head), [part]); });
    rows.forEach(function (row) {
      var tr = element("tr", {}, body);
      join(element("th", { scope: "row" }, tr), [].concat(row[0]));
      row[1].forEach(function (cell) { join(element("td", {}, tr), [].concat(cell)); });
    });
    return scrolled(made, table);
  }

  function modelHeads(rows) { return rows.map(function (row) { return link(modelHref(row.slug), row.model_id); }); }

  function confidence(level) {
    var mark = told.confidences[level];
    if (!mark) return element("span", { className: "unknown", textContent: "? unknown", title: "nothing is known" });
    return element("span", { className: "confidence c-" + level, textContent: mark[0] + " " + level, title: mark[1] });
  }

  function cache(row) {
    if (isNull(row.token_bytes) || isNull(row.window_token_bytes)) return known(null);
    if (!row.token_bytes && !row.window_token_bytes) return "keeps none";
    if (!row.window_token_bytes) return plain(1000 * row.token_bytes, "bytes");
    return [plain(1000 * row.token_bytes, "bytes"), line("and up to ",
      plain(row.window_tokens * row.window_token_bytes, "bytes"), " in windows of ", words.plural(row.window_tokens, "token"))];
  }

  function fitsOn(row) {
    var isSilent = /^[-?]*$/.test(row.verdicts) && row.verdicts.indexOf("?") >= 0;
    return isSilent ? known(null) : [plain(row.fits_on, "count"), " of ", words.plural(told.devices, "device")];
  }

  function modelFacts(rows, devices) {
    var byId = new Map(devices.map(function (device) { return [device.gpu, device]; }));
    function at(way) { return byId.has(way.gpu) ? deviceLink(byId.get(way.gpu)) : way.gpu; }
    function smallest(row) {
      return row.smallest ? [at(row.smallest), line("at ", code(row.smallest.precision))] : "none that is known";
    }
    function cheapest(row) {
      var way = row.cheapest;
      if (!way) return "none with a price is known";
      return [plain(way.usd_per_hour, "usd"), " per hour", stale(way.is_stale),
              line(way.devices > 1 ? way.devices + " × " : "", at(way), " at ", code(way.precision)),
              aged(way.as_of, way.age_days)];
    }
    function each(cell) { return rows.map(cell); }
    function of(name, kind) { return each(function (row) { return known(row[name], kind); }); }
    return sideBySide(section("What they are, and what they take",
      "Fits on one device, smallest device and cheapest sure way: " + told.served[1] + " (" + told.served[0] + ").",
      "the table `models` and the views `best_fit` and `cheapest_assured`"), modelHeads(rows), [
        ["Kind", of("kind")], ["Parameters", of("parameters", "parameters")],
        ["Active per token", of("active_parameters", "parameters")],
        ["Longest context, tokens", of("max_context_tokens", "count")],
        ["Confidence of the counts", each(function (row) { return confidence(row.confidence); })],
        ["License", of("license")], ["KV cache per 1,000 tokens", each(cache)], ["Fits on", each(fitsOn)],
        ["Smallest device", each(smallest)], ["Cheapest sure way", each(cheapest)]
      ]);
  }

  function bar(parts, longest) {
    var svg = document.createElementNS(SVG, "svg"), x = 0;
    svg.setAttribute("viewBox", "0 0 1000 16");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    parts.forEach(function (size, i) {
      if (!size) return;
      var rect = document.createElementNS(SVG, "rect"), title = document.createElementNS(SVG, "title");
      var width = size / longest * 1000;
      rect.setAttribute("class", "p-" + told.parts[i]);
      rect.setAttribute("x", x.toFixed(1));
      rect.setAttribute("width", width.toFixed(1));
      rect.setAttribute("height", "16");
      title.textContent = told.parts[i] + " " + plain(size, "bytes");
      rect.append(title);
      svg.append(rect);
      x += width;
    });
    return svg;
  }

  function needs(rows) {
    var labels = [], bars = [];
    rows.forEach(function (row) {
      row.needs.forEach(function (need) {
        bars.push(need);
        if (labels.indexOf(need[0]) < 0) labels.push(need[0]);
      });
    });
    var made = section("What each needs, by precision", "On one device of unlimited size, all bars on one scale: "
      + told.served[1] + " (" + told.served[0] + ").", "the view `requirements`");
    if (!bars.length) {
      made.insertBefore(join(element("p", {}), [known(null), ": too little is known of them to say what they need."]),
        made.querySelector(".source"));
      return made;
    }
    var longest = Math.max.apply(null, bars.map(function (need) {
      return need[2].reduce(function (sum, size) { return sum + (size || 0); }, 0);
    })) || 1;
    var shown = told.parts.map(function (_, i) { return i; }).filter(function (i) {
      return bars.some(function (need) { return need[2][i] !== 0; });
    });
    var table = element("table", { className: "stack" }), head = element("tr", {}, element("thead", {}, table));
    element("th", { scope: "col", textContent: "Model" }, head);
    element("th", { scope: "col", className: "n", textContent: "Total" }, head);
    join(element("th", { scope: "col" }, head), [element("span", { className: "vh", textContent: "Parts as a bar" })]);
    shown.forEach(function (i) {
      var swatch = element("span", { className: "swatch p-" + told.parts[i] });
      swatch.setAttribute("aria-hidden", "true");
      join(element("th", { scope: "col", className: "n" }, head), [swatch, told.parts[i]]);
    });
    labels.forEach(function (label) {
      var body = element("tbody", {}, table), group = element("tr", { className: "group" }, body);
      join(element("th", { scope: "rowgroup", colSpan: shown.length + 3 }, group), [code(label)]);
      rows.forEach(function (row) {
        var need = row.needs.find(function (need) { return need[0] === label; }) || [label, null, []];
        var tr = element("tr", {}, body);
        element("th", { scope: "row", textContent: row.model_id }, tr);
        join(element("td", { className: "n total" }, tr), [known(need[1], "bytes")]);
        join(element("td", { className: "spark" }, tr), [bar(need[2], longest)]);
        shown.forEach(function (i) { join(element("td", { className: "n" }, tr), [known(need[2][i], "bytes")]); });
      });
    });
    return scrolled(made, table);
  }

  function speeds(rows, devices) {
    function cell(row, at, i) {
      var way = row.known[i];
      if (!way) return verdict(row.verdicts[at]);
      var isFast = !isNull(way.tokens_per_second);
      return [verdict(row.verdicts[at]), way.devices > 1 ? " over " + way.devices : "",
              line("at ", code(way.precision), isFast ? ", " : ", speed ", known(way.tokens_per_second, "count"),
                   isFast ? " tokens/s" : "")];
    }
    var found = told.known.map(function (device, i) {
      var at = devices.findIndex(function (other) { return other.gpu === device[0]; });
      return at < 0 ? null : [deviceLink(devices[at]), rows.map(function (row) { return cell(row, at, i); })];
    }).filter(Boolean);
    if (!found.length) return null;
    return sideBySide(section("How fast on well-known devices", "Each at the precision that a person would choose"
      + " there; speeds of one sequence are estimates from the bandwidth of the device: " + told.served[1] + " ("
      + told.served[0] + ").", "the view `best_fit`"), modelHeads(rows), found);
  }

  // What one does and another does not: a list by who does, and a table to search. Rows are [group, name, cells].
  function difference(id, title, note, source, columns, rows, one) {
    var made = section(title, note, source), list = element("ul", { className: "headlines" }), groups = new Map();
    rows.forEach(function (row) {
      if (!groups.has(row[0])) groups.set(row[0], []);
      groups.get(row[0]).push(row[1]);
    });
    function place(group) {
      if (group === null) return 3;
      return /^only /.test(group) ? 0 : group === "both" || group === "all" ? 1 : 2;
    }
    var order = Array.from(groups.keys()).sort(function (a, b) {
      return place(a) - place(b) || (String(a) < String(b) ? -1 : 1);
    });
    order.forEach(function (group) { element("li", { textContent: words.tallied(group, groups.get(group), one) }, list); });
    made.insertBefore(list, made.querySelector(".source"));
    made.id = id;
    made.className = "big-table";
    made.dataset.sort = made.dataset.empty = "";
    rows.sort(function (a, b) { return order.indexOf(a[0]) - order.indexOf(b[0]); });  // stable: else as they come in
    var cells = rows.map(function (row) { return row[2]; });
    return { section: made, data: { columns: columns, rows: cells, picked: {} } };
  }

  function verdictColumn(id, title) { return { name: "verdict of " + id, title: title, kind: "verdict", is_filter: true }; }

  function answer(letter, yes) { return letter === "?" ? null : yes.indexOf(letter) >= 0; }

  function devicesOf(rows, devices) {
    var ids = rows.map(function (row) { return row.model_id; });
    var columns = [{ name: "name", title: "Device", kind: "link" }, { name: "fits", title: "Who fits", kind: "text", is_filter: true },
                   { name: "visible_bytes", title: "Memory a process sees", kind: "bytes" }]
      .concat(ids.map(function (id) { return verdictColumn(id, id); }));
    var found = devices.map(function (device, at) {
      var letters = rows.map(function (row) { return row.verdicts[at] || "?"; });
      var group = words.who(letters.map(function (letter) { return answer(letter, "f"); }), ids);
      var cells = [[device.name, "devices/" + device.slug + ".html"], group, device.visible_bytes];
      return [group, device.name, cells.concat(letters.map(function (letter) { return told.letters[letter]; }))];
    });
    return difference("difference", "Which devices hold one and not another", "On one device at the upper end of the"
      + " estimate, in the best precision for it: " + told.served[1] + " (" + told.served[0] + ").", "the view `best_fit`",
      columns, found, "device");
  }

  function modelsOf(rows, index) {
    var names = rows.map(function (row) { return row.name; });
    var columns = [{ name: "model_id", title: "Model", kind: "link" }, { name: "runs", title: "Who runs it", kind: "text", is_filter: true },
                   { name: "parameters", title: "Parameters", kind: "parameters" }]
      .concat(rows.map(function (row) { return verdictColumn(row.gpu, row.name); }));
    var found = index.map(function (model, at) {
      var letters = rows.map(function (row) { return row.verdicts[at] || "?"; });
      var group = words.who(letters.map(function (letter) { return answer(letter, "ft"); }), names);
      var cells = [[model.model_id, modelHref(model.slug)], group, model.parameters];
      return [group, model.model_id, cells.concat(letters.map(function (letter) { return told.letters[letter]; }))];
    });
    return difference("difference", "Which models one runs and another does not", "On one device, tight ones counted, in"
      + " the best precision for it: " + told.first[1] + " (" + told.first[0] + "). The most downloaded first.",
      "the view `best_fit`", columns, found, "model");
  }

  function deviceFacts(rows) {
    function each(cell) { return rows.map(cell); }
    function of(name, kind) { return each(function (row) { return known(row[name], kind); }); }
    function rate(name) {
      return each(function (row) { return row[name] === false ? "does not compute in it" : known(row[name], "count"); });
    }
    function largest(row) {
      if (!row.largest_model) return "none that is known";
      return [link(modelHref(row.largest_slug), row.largest_model),
              line(known(row.largest_parameters, "parameters"), " at ", code(row.largest_precision))];
    }
    function rent(row) {
      if (isNull(row.usd_per_gpu_hour)) return known(null, "usd");
      return [plain(row.usd_per_gpu_hour, "usd"), " per hour", stale(row.is_stale), line("by ", known(row.provider)),
              aged(row.as_of, row.age_days)];
    }
    function buy(row) {
      if (isNull(row.usd_purchase)) return known(null, "usd");
      return [plain(row.usd_purchase, "usd"), stale(row.purchase_is_stale), aged(row.purchase_as_of, row.purchase_age_days)];
    }
    return sideBySide(section("What they are, and what they run", "Models: " + told.first[1] + " (" + told.first[0]
      + "). The largest is sure to fit, what is tight counts among the models on one.",
      "the table `gpus` and the views `models_per_gpu`, `largest_per_gpu`, `current_prices` and `current_purchases`"),
      rows.map(deviceLink), [
        ["Segment", of("segment")], ["Memory as advertised", of("memory_bytes", "bytes")],
        ["Memory a process sees", of("visible_bytes", "bytes")],
        ["of that for " + told.served[0], of("usable_bytes", "bytes")],
        ["Bandwidth, GB/s", of("bandwidth_gb_per_s", "count")], ["BF16, dense, TFLOP/s", rate("bf16_tflops")],
        ["FP8, dense, TFLOP/s", rate("fp8_tflops")], ["FP4, dense, TFLOP/s", rate("fp4_tflops")],
        ["INT8, dense, TOP/s", rate("int8_tops")], ["Most in one node", of("max_gpus_per_node", "count")],
        ["Power, W", of("tdp_watts", "count")], ["Models on one", of("models_on_one", "count")],
        ["More on several", of("models_sharded", "count")], ["Largest model on one", each(largest)],
        ["Cheapest on demand", each(rent)], ["To buy", each(buy)]
      ]);
  }

  HUBFIT.compared = {
    told: told, modelFacts: modelFacts, needs: needs, speeds: speeds, devicesOf: devicesOf, deviceFacts: deviceFacts,
    modelsOf: modelsOf
  };
})();
