"use strict";
// Asks every two seconds whether there are new results, and loads the page again only then, at the
// place where it was scrolled to.
const state = document.getElementById("state");
const frame = document.getElementById("page");
let shown = null;
let scrolled = 0;

frame.addEventListener("load", () => frame.contentWindow.scrollTo(0, scrolled));

async function look() {
  try {
    const answer = await fetch("/state");
    if (!answer.ok) throw new Error(await answer.text());
    const now = await answer.json();
    const stamp = now.stamp.join();
    if (shown !== null && shown !== stamp) {
      scrolled = frame.contentWindow.scrollY;
      frame.contentWindow.location.reload();
    }
    shown = stamp;
    const who = now.writer === null ? "no run is writing to it" : `running: ${now.writer}`;
    state.textContent = `${now.trials} trial${now.trials === 1 ? "" : "s"}; ${who}`;
  } catch (error) {
    state.textContent = `no answer (${error.message}); is convbudget front --serve still there?`;
  }
  setTimeout(look, 2000);
}

look();
