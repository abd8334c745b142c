// Big tables: sorted, filtered and drawn in the page from the JSON beside them; only the visible rows exist.
(function () {
  "use strict";
  var ROW = 33, AHEAD = 12;
  var GIB = Math.pow(2, 30);
  var WORDS = { fits: "● fits", tight: "◐ tight", sharded: "◫ sharded", offload: "◇ offload", too_big: "○ too big",
                unsupported: "– unsupported", unknown: "? unknown" };
  var RANK = { fits: 0, tight: 1, sharded: 2, offload: 3, too_big: 4, unsupported: 5, unknown: 6 };
  var number = new Intl.NumberFormat("en-US");
  var fixed = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });

  function plain(value, kind) {
    if (value === null || value === undefined) return "unknown";
    if (kind === "link") return value[0];
    if (kind === "bytes") return fixed.format(value / GIB) + " GiB";
    if (kind === "count") return number.format(value);
    if (kind === "usd") return "$" + fixed.format(value);
    if (kind === "verdict") return WORDS[value] || value;
    return String(value);
  }

  function key(value, kind) {
    if (value === null || value === undefined) return null;
    if (kind === "link") return value[0].toLowerCase();
    if (kind === "verdict") return RANK[value];
    return typeof value === "string" ? value.toLowerCase() : value;
  }

  function cell(value, kind) {
    var td = document.createElement("td");
    if (kind === "bytes" || kind === "count" || kind === "usd") td.className = "n";
    if (value === null || value === undefined) {
      var span = document.createElement("span");
      span.className = "unknown";
      span.textContent = kind === "usd" ? "no price" : "unknown";
      td.appendChild(span);
    } else if (kind === "link") {
      var a = document.createElement("a");
      a.href = value[1];
      a.textContent = value[0];
      td.appendChild(a);
    } else {
      td.textContent = plain(value, kind);
      if (kind === "verdict") td.className = "verdict v-" + value;
    }
    return td;
  }

  function csv(columns, rows) {
    // A spreadsheet must not run what a repository is called.
    function quoted(text) {
      if (/^[=+\-@\t\r]/.test(text) && isNaN(Number(text))) text = "'" + text;
      return /[",\n\r]/.test(text) ? '"' + text.replace(/"/g, '""') + '"' : text;
    }
    var lines = [columns.map(function (c) { return quoted(c.name); }).join(",")];
    rows.forEach(function (row) {
      lines.push(row.map(function (value, i) {
        if (value === null || value === undefined) return "";
        return quoted(String(columns[i].kind === "link" ? value[0] : value));
      }).join(","));
    });
    return lines.join("\r\n") + "\r\n";
  }

  function element(tag, properties, parent) {
    var made = document.createElement(tag);
    Object.keys(properties || {}).forEach(function (name) { made[name] = properties[name]; });
    if (parent) parent.appendChild(made);
    return made;
  }

  function start(section) {
    var data = JSON.parse(section.querySelector("script").textContent);
    var columns = data.columns, all = data.rows;
    var texts = all.map(function (row) {
      return row.map(function (value, i) { return plain(value, columns[i].kind); }).join("\n").toLowerCase();
    });
    var state = read();
    var source = section.querySelector(".source");
    if (!all.length) {
      section.insertBefore(element("p", { textContent: section.dataset.empty }), source);
      return;
    }

    var controls = element("div", { className: "controls" });
    section.insertBefore(controls, source);
    var find = labelled("Filter", element("input", { type: "search", value: state.q || "" }));
    var picks = {};
    columns.forEach(function (column, i) {
      if (!column.is_filter) return;
      var values = Array.from(new Set(all.map(function (row) { return plain(row[i], column.kind); }))).sort();
      if (values.length < 2 || values.length > 200) return;
      var select = element("select", {});
      element("option", { value: "", textContent: "any" }, select);
      values.forEach(function (value) { element("option", { value: value, textContent: value }, select); });
      select.value = state[column.name] || "";
      picks[i] = labelled(column.title, select);
    });
    var download = element("button", { type: "button", textContent: "CSV" }, controls);
    var count = element("span", { className: "count" }, controls);
    count.setAttribute("aria-live", "polite");

    var box = element("div", { className: "rows", tabIndex: 0 });
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", section.querySelector("h2").textContent);
    section.insertBefore(box, source);
    var table = element("table", {}, box), head = element("tr", {}, element("thead", {}, table));
    var body = element("tbody", {}, table);
    var heads = columns.map(function (column, i) {
      var th = element("th", { scope: "col" }, head);
      if (["bytes", "count", "usd"].indexOf(column.kind) >= 0) th.className = "n";
      var button = element("button", { type: "button", textContent: column.title, title: column.name }, th);
      button.addEventListener("click", function () {
        var name = column.name;
        state.sort = state.sort === name ? "-" + name : state.sort === "-" + name ? name : column.kind === "text" || column.kind === "link" || column.kind === "verdict" ? name : "-" + name;
        refresh();
      });
      return th;
    });

    function labelled(title, control) {
      var label = element("label", { textContent: title }, controls);
      label.appendChild(element("br"));
      label.appendChild(control);
      control.addEventListener("input", function () { box.scrollTop = 0; refresh(); });
      return control;
    }

    var shown = [];
    function refresh() {
      var words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
      shown = [];
      for (var r = 0; r < all.length; r++) {
        var keep = words.every(function (word) { return texts[r].indexOf(word) >= 0; });
        for (var i in picks) if (keep && picks[i].value) keep = plain(all[r][i], columns[i].kind) === picks[i].value;
        if (keep) shown.push(r);
      }
      var sort = state.sort || section.dataset.sort || "";
      var descending = sort[0] === "-", name = descending ? sort.slice(1) : sort;
      var at = columns.findIndex(function (column) { return column.name === name; });
      heads.forEach(function (th, i) {
        if (i === at) th.setAttribute("aria-sort", descending ? "descending" : "ascending");
        else th.removeAttribute("aria-sort");
      });
      if (at >= 0) {
        var keys = all.map(function (row) { return key(row[at], columns[at].kind); });
        shown.sort(function (a, b) {
          var x = keys[a], y = keys[b];
          if (x === y) return a - b;
          if (x === null) return 1;  // unknown is last, whichever way
          if (y === null) return -1;
          return (x < y ? -1 : 1) * (descending ? -1 : 1);
        });
      }
      count.textContent = shown.length === all.length ? number.format(all.length) + " rows"
        : number.format(shown.length) + " of " + number.format(all.length) + " rows";
      write();
      draw();
    }

    function draw() {
      var first = Math.max(0, Math.floor(box.scrollTop / ROW) - AHEAD);
      var last = Math.min(shown.length, first + Math.ceil((box.clientHeight || 700) / ROW) + 2 * AHEAD);
      var fragment = document.createDocumentFragment();
      fragment.appendChild(spacer(first));
      for (var i = first; i < last; i++) {
        var tr = document.createElement("tr");
        all[shown[i]].forEach(function (value, c) { tr.appendChild(cell(value, columns[c].kind)); });
        fragment.appendChild(tr);
      }
      fragment.appendChild(spacer(shown.length - last));
      body.replaceChildren(fragment);
    }

    function spacer(rows) {
      var tr = element("tr", { className: "spacer" });
      tr.setAttribute("aria-hidden", "true");
      var td = element("td", { colSpan: columns.length }, tr);
      td.style.height = rows * ROW + "px";
      return tr;
    }

    // The state is in the address, so that a view can be sent to somebody. One table a page owns it: the first.
    var owns = section === document.querySelector(".big-table");
    function read() {
      var found = {};
      if (section !== document.querySelector(".big-table")) return found;
      new URLSearchParams(location.hash.slice(1)).forEach(function (value, name) { found[name] = value; });
      return found;
    }
    function write() {
      if (!owns) return;
      var parameters = new URLSearchParams();
      if (find.value) parameters.set("q", find.value);
      if (state.sort) parameters.set("sort", state.sort);
      for (var i in picks) if (picks[i].value) parameters.set(columns[i].name, picks[i].value);
      var hash = parameters.toString();
      history.replaceState(null, "", hash ? "#" + hash : location.pathname + location.search);
    }

    download.addEventListener("click", function () {
      var rows = shown.map(function (r) { return all[r]; });
      var link = element("a", { download: section.id + ".csv" });
      link.href = URL.createObjectURL(new Blob([csv(columns, rows)], { type: "text/csv;charset=utf-8" }));
      link.click();
      setTimeout(function () { URL.revokeObjectURL(link.href); }, 1000);
    });
    var waiting = false;
    box.addEventListener("scroll", function () {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(function () { waiting = false; draw(); });
    });
    refresh();
  }

  document.querySelectorAll(".big-table").forEach(start);
})();
