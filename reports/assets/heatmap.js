// Precision x device: one character a device, unfolded here because thousands of pages share the device list.
(function () {
  "use strict";
  var WORDS = { f: "fits", t: "tight", g: "sharded over 16", o: "only with weights in host memory", x: "too big",
                "-": "unsupported, no kernel", "?": "unknown" };
  var CLASSES = { f: "f", t: "t", g: "s", o: "o", x: "x", "-": "-", "?": "q" };
  var GLYPHS = { f: "●", t: "◐", g: "16", o: "◇", x: "○", "-": "–", "?": "?" };
  [2, 3, 4, 5, 6, 7, 8].forEach(function (devices) {
    WORDS[devices] = "sharded over " + devices;
    CLASSES[devices] = "s";
    GLYPHS[devices] = String(devices);
  });
  // A maker with more devices is cut by segment; one with fewer shares a block with the other small ones.
  var MOST = 48, FEWEST = 6;
  var devices = window.HUBFIT_DEVICES, place = document.getElementById("heat");
  var data = document.getElementById("heat-data");
  if (!place || !data || !devices) return;
  var heats = JSON.parse(data.textContent);
  if (!heats.length) return;

  function element(tag, properties, parent) {
    var made = document.createElement(tag);
    Object.keys(properties || {}).forEach(function (name) { made[name] = properties[name]; });
    if (parent) parent.appendChild(made);
    return made;
  }

  var label = element("label", { textContent: "Workload" }, place);
  element("br", {}, label);
  var select = element("select", {}, label);
  heats.forEach(function (heat, i) { element("option", { value: i, textContent: heat.title }, select); });
  var said = element("output", { textContent: "Point at a cell, or move with the arrow keys; Enter opens the device." }, place);
  // The cell that has the focus says the same itself, with its row; twice would be noise.
  said.setAttribute("aria-live", "off");
  var map = element("div", { className: "map" }, place);
  var left = element("p", { className: "note" }, place);

  function maker(device) { return device.vendor || String(device.group).split(" ")[0]; }
  // As the makers write themselves; the catalog's ids are in small letters.
  function written(name) {
    return name.replace(/^(nvidia|amd|aws|ibm)\b/, function (maker) { return maker.toUpperCase(); })
      .replace(/^[a-z]/, function (letter) { return letter.toUpperCase(); });
  }
  function gib(device) { return parseFloat(device.memory) || 0; }

  // Devices on which nothing of a workload has a kernel only make the map wide.
  function kept(heat) {
    var found = [];
    for (var i = 0; i < devices.length; i++)
      if (heat.rows.some(function (row) { return row[1][i] !== "-"; })) found.push(i);
    return found;
  }

  function blocks(indices) {
    var makers = new Map(), found = [], rest = [];
    function group(into, name, i) {
      if (!into.has(name)) into.set(name, []);
      into.get(name).push(i);
    }
    indices.forEach(function (i) { group(makers, maker(devices[i]), i); });
    makers.forEach(function (of, name) {
      if (of.length < FEWEST) { rest = rest.concat(of); return; }
      if (of.length <= MOST) { found.push([name, of]); return; }
      var segments = new Map(), small = [];
      of.forEach(function (i) { group(segments, devices[i].group, i); });
      segments.forEach(function (part, segment) {
        if (part.length < FEWEST) small = small.concat(part);
        else found.push([segment, part]);
      });
      if (small.length) found.push([name + ", other", small]);
    });
    if (rest.length) found.push([found.length ? "other makers" : "all makers", rest]);
    found.forEach(function (block) {
      block[1].sort(function (a, b) {
        return gib(devices[a]) - gib(devices[b]) || (devices[a].name < devices[b].name ? -1 : 1);
      });
    });
    return found;
  }

  function block(heat, name, indices) {
    var table = element("table", {});
    table.setAttribute("role", "grid");
    table.setAttribute("aria-label", "Verdict of each precision on each device: " + name + ", " + heat.title);
    element("caption", { textContent: written(name) }, table);
    var head = table.createTHead().insertRow(), before = null;
    element("th", { scope: "col", textContent: "GiB" }, head);
    indices.forEach(function (i) {
      var amount = gib(devices[i]), th = element("th", { scope: "col", title: devices[i].name }, head);
      th.setAttribute("aria-label", devices[i].name);
      if (amount !== before) {
        th.className = "step";
        element("span", { textContent: amount ? String(amount) : "?" }, th);
      }
      before = amount;
    });
    var body = table.createTBody();
    heat.rows.forEach(function (row) {
      var tr = body.insertRow();
      element("th", { scope: "row", textContent: row[0] }, tr);
      indices.forEach(function (i) {
        var code = row[1][i], td = tr.insertCell();
        td.className = "h-" + (CLASSES[code] || "q");
        td.textContent = GLYPHS[code] || "?";
        td.tabIndex = -1;
        td.dataset.at = i;
        td.setAttribute("aria-label", devices[i].name + ": " + (WORDS[code] || "unknown"));
      });
    });
    var first = body.querySelector("td");
    if (first) first.tabIndex = 0;
    return table;
  }

  function draw() {
    var heat = heats[Number(select.value)], indices = kept(heat), out = devices.length - indices.length;
    left.textContent = out ? (out === 1 ? "1 device has" : out + " devices have")
      + " no kernel for any format in this engine and " + (out === 1 ? "is" : "are") + " left out." : "";
    map.replaceChildren.apply(map, blocks(indices).map(function (found) { return block(heat, found[0], found[1]); }));
  }

  function tell(td) {
    var device = devices[Number(td.dataset.at)];
    said.textContent = td.parentNode.firstChild.textContent + " on " + device.name + " (" + device.memory + "): "
      + td.getAttribute("aria-label").split(": ").pop();
  }
  function isCell(node) { return node.tagName === "TD"; }
  map.addEventListener("mouseover", function (event) { if (isCell(event.target)) tell(event.target); });
  map.addEventListener("focusin", function (event) { if (isCell(event.target)) tell(event.target); });
  function open(td) {
    var href = devices[Number(td.dataset.at)].href;
    if (href) location.href = href;
  }
  map.addEventListener("click", function (event) { if (isCell(event.target)) open(event.target); });
  map.addEventListener("keydown", function (event) {
    var td = event.target, moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    if (isCell(td) && event.key === "Enter") open(td);
    var ends = { Home: td.parentNode.cells && td.parentNode.cells[1], End: td.parentNode.lastChild };
    if (!isCell(td) || !(moves[event.key] || ends[event.key])) return;
    event.preventDefault();
    var rows = td.closest("tbody").rows, move = moves[event.key] || [0, 0];
    var row = rows[Array.prototype.indexOf.call(rows, td.parentNode) + move[0]];
    var next = ends[event.key] || row && row.cells[td.cellIndex + move[1]];
    if (next && isCell(next)) {
      td.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    }
  });
  select.addEventListener("input", draw);
  draw();
})();
