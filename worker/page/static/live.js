// Keeps the parts of a screen that bear `data-live` as the server has them, asks before forms that bear `data-ask`.
"use strict";

(() => {
  let paused = false;

  const keepWhatTheReaderOpened = {
    beforeAttributeUpdated: (name, element) => !(name === "open" && element.tagName === "DETAILS"),
  };

  async function refresh(part) {
    const headers = part.tag ? { "If-None-Match": part.tag } : {};
    const answer = await fetch(part.element.dataset.live, { headers, cache: "no-store", redirect: "error" });
    if (answer.status === 401) {
      location.reload(); // signed out: the screen itself leads to the form
    } else if (answer.ok) {
      part.tag = answer.headers.get("ETag");
      Idiomorph.morph(part.element, await answer.text(), { morphStyle: "innerHTML", callbacks: keepWhatTheReaderOpened });
    }
    document.body.classList.toggle("behind", !(answer.ok || answer.status === 304));
  }

  async function follow(part) {
    const seconds = Number(part.element.dataset.every);
    let pause = seconds;
    for (;;) {
      await new Promise((wake) => setTimeout(wake, pause * 1000));
      if (paused || document.hidden) continue;
      try {
        await refresh(part);
        pause = seconds;
      } catch {
        document.body.classList.add("behind");
        pause = Math.min(pause * 2, 60);
      }
    }
  }

  const address = new URL(location.href);
  if (address.searchParams.has("said")) {
    address.searchParams.delete("said"); // what was done is said once, and not again by a reload or a bookmark
    history.replaceState(null, "", address);
  }

  for (const element of document.querySelectorAll("[data-live]")) follow({ element, tag: null });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-pause]");
    if (!button) return;
    paused = !paused;
    button.setAttribute("aria-pressed", String(paused));
    button.textContent = paused ? "Go on updating" : "Pause updates";
  });

  document.addEventListener("submit", (event) => {
    const question = event.target.dataset.ask;
    if (question && !confirm(question)) event.preventDefault();
  });
})();
