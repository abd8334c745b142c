// Precision x device: one character a device, unfolded here because thousands of pages share the device list.
(function () {
  "use strict";
  var WORDS = { f: "fits", t: "tight", 2: "sharded over 2", 4: "sharded over 4", 8: "sharded over 8",
                g: "sharded over 16", o: "only with weights in host memory", x: "too big", "-": "unsupported", "?": "unknown" };
  var CLASSES = { f: "f", t: "t", 2: "s", 4: "s", 8: "s", g: "s", o: "o", x: "x", "-": "-", "?": "q" };
  var GLYPHS = { f: "", t: "", 2: "2", 4: "4", 8: "8", g: "16", o: "o", x: "", "-": "", "?": "?" };
  var devices = window.HUBFIT_DEVICES, place = document.getElementById("heat");
  var heats = JSON.parse(document.getElementById("heat-data").textContent);
  if (!heats.length || !devices) return;

  var label = document.createElement("label");
  label.textContent = "Workload";
  var select = document.createElement("select");
  heats.forEach(function (heat, i) {
    var option = document.createElement("option");
    option.value = i;
    option.textContent = heat.title;
    select.appendChild(option);
  });
  label.appendChild(document.createElement("br"));
  label.appendChild(select);
  place.appendChild(label);
  var said = document.createElement("output");
  said.setAttribute("aria-live", "polite");
  said.textContent = "Point at a cell, or move with the arrow keys.";
  place.appendChild(said);
  var left = document.createElement("p");
  left.className = "note";
  var map = document.createElement("div");
  map.className = "map";
  place.appendChild(map);
  place.appendChild(left);

  // Devices on which nothing of a workload has a kernel only make the map wide.
  function columnsOf(heat) {
    var kept = [];
    for (var i = 0; i < devices.length; i++)
      if (heat.rows.some(function (row) { return row[1][i] !== "-"; })) kept.push(i);
    return kept;
  }

  function groupsOf(kept) {
    var groups = [];
    kept.forEach(function (i) {
      var last = groups[groups.length - 1];
      if (last && last.name === devices[i].group) last.count++;
      else groups.push({ name: devices[i].group, count: 1 });
    });
    return groups;
  }

  function draw() {
    var heat = heats[Number(select.value)], kept = columnsOf(heat), groups = groupsOf(kept);
    left.textContent = kept.length < devices.length
      ? (devices.length - kept.length) + " devices have no kernel for any format in this engine and are left out." : "";
    var table = document.createElement("table");
    table.setAttribute("aria-label", "Verdict of each precision on each device, " + heat.title);
    var head = table.createTHead().insertRow();
    head.appendChild(document.createElement("th"));
    groups.forEach(function (group) {
      var th = document.createElement("th");
      th.colSpan = group.count;
      th.scope = "colgroup";
      th.textContent = group.count > 6 ? group.name : "";
      th.title = group.name;
      head.appendChild(th);
    });
    var body = table.createTBody();
    heat.rows.forEach(function (row) {
      var tr = body.insertRow();
      var th = document.createElement("th");
      th.scope = "row";
      th.textContent = row[0];
      tr.appendChild(th);
      kept.forEach(function (i) {
        var code = row[1][i], td = tr.insertCell();
        td.className = "h-" + CLASSES[code];
        td.textContent = GLYPHS[code];
        td.tabIndex = -1;
        td.dataset.at = i;
        td.setAttribute("aria-label", devices[i].name + ": " + WORDS[code]);
      });
    });
    map.replaceChildren(table);
    var first = table.querySelector("td");
    if (first) first.tabIndex = 0;
  }

  function tell(td) {
    var device = devices[Number(td.dataset.at)];
    said.textContent = td.parentNode.firstChild.textContent + " on " + device.name + " (" + device.memory + "): "
      + td.getAttribute("aria-label").split(": ").pop();
  }
  map.addEventListener("mouseover", function (event) { if (event.target.tagName === "TD") tell(event.target); });
  map.addEventListener("focusin", function (event) { if (event.target.tagName === "TD") tell(event.target); });
  map.addEventListener("keydown", function (event) {
    var td = event.target, moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    if (td.tagName !== "TD" || !moves[event.key]) return;
    var rows = td.closest("tbody").rows, move = moves[event.key];
    var row = rows[Array.prototype.indexOf.call(rows, td.parentNode) + move[0]];
    var next = row && row.cells[td.cellIndex + move[1]];
    if (next && next.tagName === "TD") {
      td.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
      event.preventDefault();
    }
  });
  select.addEventListener("input", draw);
  draw();
})();
