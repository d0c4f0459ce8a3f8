// Shows the filter of the table of alerts and works it; opens what is folded before the page is printed.
"use strict";
(function () {
  const form = document.getElementById("filter");
  const table = document.getElementById("alert-table");
  if (form && table) {
    const rows = Array.from(table.tBodies[0].rows).map((row) => [row, row.textContent.toLowerCase()]);
    const find = document.getElementById("find");
    const rule = document.getElementById("rule");
    const found = document.getElementById("found");
    const boxes = Array.from(form.querySelectorAll("input[type=checkbox]"));
    const apply = function () {
      const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
      const levels = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
      let shown = 0;
      for (const [row, text] of rows) {
        const fits = levels.has(row.dataset.severity) && (!rule.value || row.dataset.rule === rule.value)
          && words.every((word) => text.includes(word));
        row.hidden = !fits;
        shown += fits ? 1 : 0;
      }
      found.textContent = shown + " of " + rows.length + " shown";
    };
    form.hidden = false;
    form.addEventListener("input", apply);
    form.addEventListener("submit", (event) => event.preventDefault());
    apply();
  }
  window.addEventListener("beforeprint", () => {
    for (const folded of document.querySelectorAll("details")) folded.open = true;
  });
})();
