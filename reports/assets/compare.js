// compare.html: what the address names, read from the scripts beside the page and put side by side.
(function () {
  "use strict";
  var HUBFIT = window.HUBFIT, words = HUBFIT.words, draw = HUBFIT.compared, told = draw.told, element = HUBFIT.element;
  function byId(id) { return document.getElementById(id); }
  var input = byId("q"), hits = byId("hits"), sentence = byId("verdict"), place = byId("compared");
  var start = sentence.textContent, usual = document.title, stop = null, drawn = null, turn = 0;

  // The address: ?models=A,B or ?devices=A,B. Ids, so that it means the same in every night.
  function decoded(text) {
    try { return decodeURIComponent(text); } catch (error) { return text; }
  }
  function encoded(id) {
    try { return encodeURIComponent(id).replace(/%2F/g, "/"); } catch (error) { return ""; }
  }
  function asked() {
    var found = { kind: "models", ids: [], left: [] }, isFound = false;
    location.search.slice(1).split("&").forEach(function (part) {
      var at = part.indexOf("="), kind = part.slice(0, at);
      if (isFound || at < 0 || (kind !== "models" && kind !== "devices")) return;
      isFound = true;
      found.kind = kind;
      // a comma between ids, also where a messenger has encoded it; no id of the Hub has one
      var ids = part.slice(at + 1).replace(/%2C/gi, ",").split(",").map(decoded).filter(Boolean);
      ids = Array.from(new Set(ids));
      found.ids = ids.slice(0, told.most);
      found.left = ids.slice(told.most);
    });
    return found;
  }
  function address(kind, ids) { return "?" + kind + "=" + ids.map(encoded).join(","); }

  function go(href) {
    try { history.pushState(null, "", href); } catch (error) { location.href = href; return; }
    show();
  }
  function follow(event) {
    if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go(this.getAttribute("href"));
    (input.disabled ? sentence : input).focus();
  }

  // A script of rows, once; its rows as objects.
  var loading = new Map();
  function rowsOf(name) {
    if (!loading.has(name)) loading.set(name, new Promise(function (done, failed) {
      var script = element("script", { src: "compare/" + name + ".js" });
      script.onload = function () {
        var found = (window.HUBFIT_COMPARED || {})[name];
        if (!found) { script.onerror(); return; }
        done(found.rows.map(function (row) {
          var made = {};
          found.columns.forEach(function (column, i) { made[column] = row[i]; });
          return made;
        }));
      };
      script.onerror = function () { failed(new Error("compare/" + name + ".js beside this page is not there")); };
      document.head.append(script);
    }));
    return loading.get(name);
  }

  // CRC-32 of its letters, as reports.compare.script_of has it.
  function scriptOf(id) {
    var sum = -1;
    new TextEncoder().encode(id).forEach(function (byte) {
      sum ^= byte;
      for (var bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0xEDB88320 : sum >>> 1;
    });
    return "models-" + ((sum ^ -1) >>> 0) % told.scripts;
  }

  var WAY = ["gpu", "precision", "devices", "tokens_per_second", "usd_per_hour", "as_of", "age_days", "is_stale"];
  function way(cells) {
    if (!cells || !Array.isArray(cells)) return cells;
    var made = {};
    WAY.forEach(function (name, i) { made[name] = cells[i]; });
    return made;
  }

  function modelOf(id) {
    return rowsOf(scriptOf(id)).then(function (rows) {
      var row = rows.find(function (row) { return row.model_id === id; });
      return row && Object.assign({}, row, {
        smallest: way(row.smallest), cheapest: way(row.cheapest), known: row.known.map(way)
      });
    });
  }
  function deviceOf(id) {
    return rowsOf("devices").then(function (rows) {
      var row = rows.find(function (row) { return row.gpu === id; });
      return row && rowsOf("on-" + row.slug).then(function (found) {
        return Object.assign({}, row, { verdicts: found[0].verdicts });
      });
    });
  }

  function say(text) { if (sentence.textContent !== text) sentence.textContent = text; }
  function remark(parts) {
    var made = element("p", { className: "remark" }, byId("remarks"));
    parts.forEach(function (part) { made.append(part); });
  }

  function choices(state, names) {
    byId("chosen").replaceChildren.apply(byId("chosen"), state.ids.map(function (id) {
      var li = element("li", { textContent: (names.get(id) || id) + " " });
      var rest = state.ids.filter(function (other) { return other !== id; });
      var away = element("a", { href: address(state.kind, rest), textContent: "take away", className: "away" }, li);
      away.setAttribute("aria-label", "Take away " + (names.get(id) || id));
      away.addEventListener("click", follow);
      return li;
    }));
  }

  function frame(state) {
    var one = state.kind === "models" ? "model" : "device", isFull = state.ids.length >= told.most;
    ["models", "devices"].forEach(function (kind) {
      if (kind === state.kind) byId("of-" + kind).setAttribute("aria-current", "true");
      else byId("of-" + kind).removeAttribute("aria-current");
    });
    document.querySelector("label[for=q]").textContent =
      isFull ? "No more than " + told.most + " " + one + "s stand side by side" : "Add a " + one;
    input.disabled = isFull;
    input.placeholder = state.kind === "models" ? "Qwen3, gpt-oss …" : "H100, 4090 …";
    byId("examples").hidden = state.ids.length > 0;
    byId("examples").querySelectorAll("p").forEach(function (p) { p.hidden = p.dataset.kind !== state.kind; });
  }

  function compare(state, found, others) {
    var rows = found.filter(Boolean), isOfModels = state.kind === "models", one = isOfModels ? "model" : "device";
    var names = new Map(rows.map(function (row) { return isOfModels ? [row.model_id, row.model_id] : [row.gpu, row.name]; }));
    choices(state, names);
    state.ids.forEach(function (id) {
      if (names.has(id)) return;
      var known = isOfModels ? "No model of this name was read in this night: " : "The catalog of this night has no such device: ";
      remark(isOfModels ? [known, element("code", { textContent: id }), ". It may have another name now, or it could not be read: ",
                           element("a", { href: "quality.html", textContent: "what could not, and why" }), "."]
        : [known, element("code", { textContent: id }), "."]);
    });
    if (state.left.length)
      remark(["No more than " + told.most + " stand side by side; left out: " + state.left.join(", ") + "."]);
    document.title = rows.length ? words.listed(Array.from(names.values())) + " · hubfit" : usual;
    if (!rows.length) { say(state.ids.length ? "Nothing that the address names is in this night." : start); return; }
    say(rows.length > 1 ? words[state.kind](rows, told) : words.alone(names.values().next().value, one));
    var last = isOfModels ? draw.devicesOf(rows, others) : draw.modelsOf(rows, others);
    var parts = isOfModels ? [draw.modelFacts(rows, others), draw.needs(rows), draw.speeds(rows, others)] : [draw.deviceFacts(rows)];
    parts.concat(rows.length > 1 ? [last.section] : []).forEach(function (part) { if (part) place.append(part); });
    if (rows.length > 1) stop = HUBFIT.table(last.section, last.data) || null;
  }

  function show() {
    var state = asked(), mine = ++turn;
    drawn = location.search;
    hits.replaceChildren();
    input.value = byId("found").textContent = "";
    frame(state);
    var rows = Promise.all(state.ids.map(state.kind === "models" ? modelOf : deviceOf));
    var others = !state.ids.length ? [] : rowsOf(state.kind === "models" ? "devices" : "models");
    Promise.all([rows, others]).then(function (found) {
      if (mine !== turn) return;
      clear();
      compare(state, found[0], found[1]);
    }).catch(function (error) {
      if (mine !== turn) return;
      clear();
      choices(state, new Map());
      say("Nothing can be put side by side: " + error.message + ".");
    });
  }
  function clear() {
    if (stop) stop();
    stop = null;
    place.replaceChildren();
    byId("remarks").replaceChildren();
  }

  // The search: names are loaded when somebody begins to look for one.
  function search() {
    var state = asked(), text = input.value, wanted = text.toLowerCase().split(/\s+/).filter(Boolean);
    if (!wanted.length) { hits.replaceChildren(); byId("found").textContent = ""; return; }
    rowsOf(state.kind).then(function (rows) {
      if (input.value !== text || asked().kind !== state.kind) return;
      // the name itself first, for Enter takes the first; then the most downloaded
      var whole = text.trim().toLowerCase(), exact = [], found = [];
      rows.forEach(function (row) {
        var id = row.model_id || row.gpu, name = row.name || id, searched = (name + " " + id).toLowerCase();
        if (state.ids.indexOf(id) >= 0) return;
        if (name.toLowerCase() === whole || id.toLowerCase().split("/").pop() === whole) exact.push([id, name]);
        else if (found.length < 12 && wanted.every(function (word) { return searched.indexOf(word) >= 0; }))
          found.push([id, name]);
      });
      found = exact.concat(found).slice(0, 12);
      hits.replaceChildren.apply(hits, found.map(function (hit) {
        var li = element("li", {}), a = element("a", { textContent: hit[1] }, li);
        a.href = address(state.kind, state.ids.concat([hit[0]]));
        a.addEventListener("click", follow);
        return li;
      }));
      if (!found.length) element("li", { textContent: "nothing found" }, hits);
      byId("found").textContent = found.length ? words.plural(found.length, "name") + " found" : "nothing found";
    }).catch(function (error) { hits.replaceChildren(element("li", { textContent: error.message })); });
  }
  input.addEventListener("input", search);
  input.addEventListener("focus", function () { rowsOf(asked().kind).catch(function () {}); });
  input.form.addEventListener("submit", function (event) {
    event.preventDefault();
    var first = hits.querySelector("a");
    if (first) first.click();
  });
  window.addEventListener("popstate", function () { if (location.search !== drawn) show(); });
  document.querySelectorAll(".kinds a, #examples a").forEach(function (a) {
    a.addEventListener("click", follow);
  });
  document.querySelectorAll(".kinds, form.search").forEach(function (part) { part.hidden = false; });
  show();
})();
