// Comfort only: every page works without this file.
"use strict";
const all = (query, act) => document.querySelectorAll(query).forEach(act);

all("[data-copy],[data-copy-from]", (button) => {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const from = document.getElementById(button.dataset.copyFrom);
    await navigator.clipboard.writeText(button.dataset.copy ?? from.value ?? from.textContent);
    const word = button.firstElementChild, before = word.textContent;
    word.textContent = document.getElementById("said").textContent = button.dataset.done;
    setTimeout(() => { word.textContent = before; }, 2000);
  });
});

all("[data-dismiss]", (button) => {
  button.hidden = false;
  button.addEventListener("click", () => button.parentElement.remove());
});

const { lang } = document.documentElement, style = {
  year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", timeZoneName: "short",
};
const tongue = navigator.language.startsWith(lang) ? navigator.language : lang;
all("time[data-local]", (time) => {
  time.textContent = new Date(time.dateTime).toLocaleString(tongue, style);
  time.dir = "auto";
});

// Several lines pasted into the one-line box move to the box for several.
all("[data-many]", (box) => box.addEventListener("paste", (event) => {
  const text = event.clipboardData.getData("text").trim(), many = document.getElementById(box.dataset.many);
  if (!text.includes("\n")) return;
  event.preventDefault();
  many.closest("details").open = true;
  many.value = text;
  many.focus();
}));
