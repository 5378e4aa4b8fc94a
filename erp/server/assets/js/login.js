// One press signs in once.
import { $ } from "./dom.js";

const form = $("[data-login]");
form.addEventListener("submit", () => {
  const button = $("button[type=submit]", form);
  // After the form has been collected.
  setTimeout(() => {
    button.disabled = true;
    button.textContent = "Signing in…";
  });
});
addEventListener("pageshow", (e) => e.persisted && location.reload());
