"use strict";
const [controls, search, fate, shown] = ["controls", "search", "fate", "shown"].map((id) =>
  document.getElementById(id),
);
const items = [...document.querySelectorAll("[data-item]")].map((element) => [
  element,
  element.textContent.toLowerCase(),
]);
const folders = [...document.querySelectorAll(".file")];

function show() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const [element, text] of items) {
    const ofFate = !fate.value || !element.dataset.fate || element.dataset.fate === fate.value;
    element.hidden = !ofFate || !words.every((word) => text.includes(word));
    count += !element.hidden;
  }
  for (const file of folders) file.hidden = !file.querySelector("[data-item]:not([hidden])");
  shown.textContent = words.length || fate.value ? `${count} of ${items.length} shown` : "";
}

controls.addEventListener("submit", (event) => event.preventDefault());
controls.addEventListener("input", show);
controls.hidden = false;
show();
