// Big tables: sorted, filtered and drawn in the page from the JSON beside them; only the visible rows exist.
(function () {
  "use strict";
  // Rows drawn out of sight, rows on paper, and from how many rows on the keyboard has a way past them.
  var AHEAD = 12, ON_PAPER = 40, MANY = 20;
  var GIB = Math.pow(2, 30);
  var NUMERIC = { bytes: true, count: true, usd: true, cost: true, parameters: true, share: true };
  var WORDS = { fits: "● fits", tight: "◐ tight", sharded: "◫ sharded", offload: "◇ offload", too_big: "○ too big",
                unsupported: "– unsupported", unknown: "? unknown" };
  var RANK = { fits: 0, tight: 1, sharded: 2, offload: 3, too_big: 4, unsupported: 5, unknown: 6 };
  var number = new Intl.NumberFormat("en-US");
  var fixed = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  var whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
  var sections = document.querySelectorAll(".big-table");

  function gib(value) {
    var amount = value / GIB;
    if (amount && Math.abs(amount) < 0.005) return fixed.format(value / Math.pow(2, 20)) + " MiB";
    return (Math.abs(amount) >= 1000 ? whole : fixed).format(amount) + " GiB";
  }

  function billions(value) {
    if (value >= 1e11) return whole.format(value / 1e9) + " B";
    if (value >= 1e9) return fixed.format(value / 1e9) + " B";
    return value >= 1e6 ? whole.format(value / 1e6) + " M" : number.format(value);
  }

  function share(value) {
    var part = 100 * value;
    if (!part) return "0 %";
    if (part > 0 && part < 0.005) return "<0.01 %";
    return (part < 1 ? part.toFixed(2) : String(Number(part.toPrecision(3)))) + " %";
  }

  function cost(value) {
    return "$" + (value > 0 && value < 1 ? value.toFixed(Math.max(2, 1 - Math.floor(Math.log10(value)))) : fixed.format(value));
  }

  function isNull(value) { return value === null || value === undefined; }

  function plain(value, kind) {
    if (isNull(value)) return kind === "usd" ? "no price" : "unknown";
    if (kind === "link") return value[0];
    if (kind === "bytes") return gib(value);
    if (kind === "count") return number.format(value);
    if (kind === "parameters") return billions(value);
    if (kind === "usd") return "$" + fixed.format(value);
    if (kind === "share") return share(value);
    if (kind === "cost") return cost(value);
    if (kind === "verdict") return WORDS[value] || value;
    return String(value);
  }

  function key(value, kind) {
    if (isNull(value)) return null;
    if (kind === "link") return value[0].toLowerCase();
    if (kind === "verdict") return RANK[value];
    return typeof value === "string" ? value.toLowerCase() : value;
  }

  function cell(value, kind) {
    var td = document.createElement("td"), text = plain(value, kind), inner = td;
    if (NUMERIC[kind]) td.className = "n";
    else td.title = text;
    if (isNull(value)) {
      inner = td.appendChild(document.createElement("span"));
      inner.className = "unknown";
    } else if (kind === "link") {
      inner = td.appendChild(document.createElement("a"));
      inner.href = value[1];
    } else if (kind === "code") {
      inner = td.appendChild(document.createElement("code"));
    } else if (kind === "verdict") {
      td.className = "verdict v-" + value;
    } else if (kind === "parameters") {
      td.title = number.format(value);
    }
    inner.textContent = text;
    return td;
  }

  function csv(columns, rows) {
    // A spreadsheet must not run what a repository is called, nor a terminal that prints the file.
    function quoted(text) {
      text = text.replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/g, "\ufffd");
      if (/^[=+\-@\t\r\n]/.test(text) && isNaN(Number(text))) text = "'" + text;
      return /[",\n\r]/.test(text) ? '"' + text.replace(/"/g, '""') + '"' : text;
    }
    var lines = [columns.map(function (c) { return quoted(c.name); }).join(",")];
    rows.forEach(function (row) {
      lines.push(row.map(function (value, i) {
        return isNull(value) ? "" : quoted(String(columns[i].kind === "link" ? value[0] : value));
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

  // From the page, or from the script beside it, where words that many rows share stand once.
  function dataOf(section) {
    if (!section.dataset.beside) return JSON.parse(section.querySelector("script").textContent);
    var data = (window.HUBFIT_TABLES || {})[section.id];
    if (data && data.words) {
      data.rows.forEach(function (row) {
        Object.keys(data.words).forEach(function (at) { row[at] = data.words[at][row[at]]; });
      });
    }
    return data;
  }

  // Draws a table of `data` into its section; the answer ends its listening, for pages that take it away again.
  function start(section, data) {
    var source = section.querySelector(".source"), gone = new AbortController(), listening = { signal: gone.signal };
    if (!data) {
      var missing = "The rows are in " + section.dataset.beside + " beside this page, which is not there.";
      section.insertBefore(element("p", { textContent: missing }), source);
      return;
    }
    var columns = data.columns, all = data.rows, picked = data.picked || {};
    if (!all.length) {
      section.insertBefore(element("p", { textContent: section.dataset.empty }), source);
      return;
    }
    var texts = all.map(function (row) {
      return row.map(function (value, i) { return plain(value, columns[i].kind); }).join("\n").toLowerCase();
    });

    // The state is in the address, so that a view can be sent to somebody; tables after the first prefix their names.
    var prefix = section === sections[0] ? "" : section.id + ".";
    function hashed() { return new URLSearchParams(location.hash.slice(1)); }
    function stored(name, otherwise) {
      var found = hashed().get(prefix + name);
      return found === null ? otherwise : found;
    }

    var controls = element("div", { className: "controls" });
    section.insertBefore(controls, source);
    var sort = "", find = labelled("Filter", element("input", { type: "search", autocomplete: "off" }));
    var picks = [];
    columns.forEach(function (column, i) {
      if (!column.is_filter) return;
      var values = Array.from(new Set(all.map(function (row) { return plain(row[i], column.kind); }))).sort();
      if (values.length < 2 || values.length > 200) return;
      var select = element("select", {});
      element("option", { value: "", textContent: "any" }, select);
      values.forEach(function (value) { element("option", { value: value, textContent: value }, select); });
      var usual = values.indexOf(picked[column.name]) >= 0 ? picked[column.name] : "";
      picks.push({ at: i, name: column.name, kind: column.kind, usual: usual, control: labelled(column.title, select) });
    });
    var download = element("button", { type: "button", textContent: "Download CSV" }, controls);
    var count = element("span", { className: "count" }, controls);
    count.setAttribute("role", "status");

    if (all.length > MANY) {
      var over = element("button", { type: "button", className: "over", textContent: "Skip the rows" }, controls);
      over.addEventListener("click", function () {
        source.tabIndex = -1;
        source.focus();
      });
    }
    var box = element("div", { className: "rows", tabIndex: 0 });
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", section.querySelector("h2").textContent);
    section.insertBefore(box, source);
    var onPaper = element("p", { className: "note on-paper" });
    section.insertBefore(onPaper, source);
    var table = element("table", {}, box), head = element("tr", {}, element("thead", {}, table));
    var body = element("tbody", {}, table);
    var heads = columns.map(function (column, i) {
      var th = element("th", { scope: "col" }, head);
      if (NUMERIC[column.kind]) th.className = "n";
      var button = element("button", { type: "button", textContent: column.title, title: "SQL: " + column.name }, th);
      button.addEventListener("click", function () {
        var name = column.name, now = sort || section.dataset.sort;
        if (now === name) sort = "-" + name;
        else if (now === "-" + name) sort = name;
        else sort = NUMERIC[column.kind] ? "-" + name : name;
        box.scrollTop = 0;
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

    // One list of keys a column, made when the column is first sorted by.
    var keys = {};
    function keysOf(at) {
      if (!keys[at]) keys[at] = all.map(function (row) { return key(row[at], columns[at].kind); });
      return keys[at];
    }

    var order = null, ordered = "";
    function sorted(name) {
      if (order && ordered === name) return order;
      order = all.map(function (_, r) { return r; });
      ordered = name;
      var descending = name[0] === "-", wanted = descending ? name.slice(1) : name;
      var at = columns.findIndex(function (column) { return column.name === wanted; });
      heads.forEach(function (th, i) {
        if (i === at) th.setAttribute("aria-sort", descending ? "descending" : "ascending");
        else th.removeAttribute("aria-sort");
      });
      if (at < 0) return order;
      var of = keysOf(at);
      order.sort(function (a, b) {
        var x = of[a], y = of[b];
        if (x === y) return a - b;
        if (x === null) return 1;  // unknown is last, whichever way
        if (y === null) return -1;
        return (x < y ? -1 : 1) * (descending ? -1 : 1);
      });
      return order;
    }

    var shown = [];
    function refresh() {
      var words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
      var chosen = picks.filter(function (pick) { return pick.control.value; });
      shown = sorted(sort || section.dataset.sort || "").filter(function (r) {
        return words.every(function (word) { return texts[r].indexOf(word) >= 0; }) &&
          chosen.every(function (pick) { return plain(all[r][pick.at], pick.kind) === pick.control.value; });
      });
      count.textContent = (shown.length === all.length ? "" : number.format(shown.length) + " of ")
        + number.format(all.length) + (all.length === 1 ? " row" : " rows");
      write();
      draw();
    }

    var height = 34;
    function draw(everything) {
      var first = everything ? 0 : Math.max(0, Math.floor(box.scrollTop / height) - AHEAD);
      var last = first + Math.ceil((box.clientHeight || 700) / height) + 2 * AHEAD;
      last = Math.min(shown.length, everything ? ON_PAPER : last);
      first = Math.min(first, last);
      var fragment = document.createDocumentFragment();
      fragment.appendChild(spacer(first));
      for (var i = first; i < last; i++) {
        var made = document.createElement("tr"), row = all[shown[i]];
        made.dataset.at = shown[i];
        for (var c = 0; c < columns.length; c++) made.appendChild(cell(row[c], columns[c].kind));
        fragment.appendChild(made);
      }
      if (!shown.length) {
        var none = element("tr", {}, fragment);
        element("td", { colSpan: columns.length, className: "none", textContent: "No row matches the filter." }, none);
      }
      fragment.appendChild(spacer(shown.length - last));
      // What had the focus is drawn anew; where it went out of sight, the keys still scroll the box.
      var had = body.contains(document.activeElement) ? document.activeElement : null, tr = had && had.closest("tr");
      var which = had && Array.prototype.indexOf.call(tr.querySelectorAll("a"), had);
      body.replaceChildren(fragment);
      if (had) {
        var again = body.querySelectorAll('tr[data-at="' + tr.dataset.at + '"] a')[which] || box;
        again.focus({ preventScroll: true });
      }
      // All rows are one line high; how high depends on the reader's fonts.
      var measured = last > first ? body.rows[1].getBoundingClientRect().height : 0;
      if (measured && Math.abs(measured - height) > 0.01) {
        height = measured;
        draw(everything);
      }
    }

    function print() {
      var printed = Math.min(shown.length, ON_PAPER), isPart = printed < all.length;
      onPaper.hidden = !isPart;
      onPaper.textContent = isPart ? "On paper: " + (printed < shown.length ? "the first " + printed + " of " : "") + count.textContent
        + ", as the page was filtered and sorted; all are on the page, with a CSV file." : "";
      draw(true);
    }

    function spacer(rows) {
      var tr = element("tr", { className: "spacer" });
      tr.setAttribute("aria-hidden", "true");
      element("td", { colSpan: columns.length }, tr).style.height = rows * height + "px";
      return tr;
    }

    function read() {
      find.value = stored("q", "");
      sort = stored("sort", "");
      picks.forEach(function (pick) {
        pick.control.value = stored(pick.name, pick.usual);
        if (pick.control.selectedIndex < 0) pick.control.value = pick.usual;
      });
    }

    function write() {
      var parameters = hashed();
      function put(name, value, usual) {
        if (value === usual) parameters.delete(prefix + name);
        else parameters.set(prefix + name, value);
      }
      put("q", find.value, "");
      put("sort", sort, "");
      picks.forEach(function (pick) { put(pick.name, pick.control.value, pick.usual); });
      var hash = parameters.toString();
      if (hash !== location.hash.slice(1))
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
    window.addEventListener("hashchange", function () { read(); refresh(); }, listening);
    window.addEventListener("beforeprint", function () { print(); }, listening);
    window.addEventListener("afterprint", function () { draw(); }, listening);
    read();
    refresh();
    return function () { gone.abort(); };
  }

  // One formatter and one table for every script of the report.
  window.HUBFIT = { plain: plain, element: element, table: start };
  sections.forEach(function (section) { start(section, dataOf(section)); });
})();
