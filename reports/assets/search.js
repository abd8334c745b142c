// Entry search over models and devices, from the list in the page.
(function () {
  "use strict";
  var list = JSON.parse(document.getElementById("search-index").textContent);
  var lower = list.map(function (entry) { return entry[0].toLowerCase(); });
  var input = document.getElementById("q"), hits = document.getElementById("hits");
  var told = document.getElementById("found");
  // Enter opens the first hit.
  input.form.addEventListener("submit", function (event) {
    event.preventDefault();
    var first = hits.querySelector("a");
    if (first) first.click();
  });
  input.addEventListener("input", function () {
    var words = input.value.toLowerCase().split(/\s+/).filter(Boolean), found = [];
    for (var i = 0; words.length && i < list.length && found.length < 12; i++)
      if (words.every(function (word) { return lower[i].indexOf(word) >= 0; })) found.push(list[i]);
    hits.replaceChildren.apply(hits, found.map(function (entry) {
      var li = document.createElement("li"), a = document.createElement("a"), kind = document.createElement("small");
      a.href = entry[1];
      a.textContent = entry[0];
      kind.textContent = " " + entry[2];
      li.appendChild(a);
      li.appendChild(kind);
      return li;
    }));
    // Who listens hears how many there are, not the whole list again at every key.
    told.textContent = !words.length ? "" : found.length ? found.length + (found.length === 1 ? " hit" : " hits") : "nothing found";
    if (words.length && !found.length) {
      var none = document.createElement("li");
      none.textContent = "nothing found";
      hits.appendChild(none);
    }
  });
})();
