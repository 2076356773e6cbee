(function () {
  "use strict";
  var root = document.documentElement;
  var languages = ["kk", "ru", "en"];
  function keep(name, value) { try { localStorage.setItem(name, value); } catch (refused) { return; } }
  function kept(name) { try { return localStorage.getItem(name); } catch (refused) { return null; } }
  function press(group, value) {
    document.querySelectorAll("[data-" + group + "-button]").forEach(function (button) {
      button.setAttribute("aria-pressed", String(button.getAttribute("data-" + group + "-button") === value));
    });
  }
  function speak(language) {
    if (languages.indexOf(language) < 0) { return; }
    root.lang = language;
    document.title = document.querySelector("title").getAttribute("data-" + language);
    press("language", language);
  }
  function colour(theme) {
    if (theme === "light" || theme === "dark") { root.setAttribute("data-theme", theme); }
    else { theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"; }
    press("theme", theme);
  }
  function wanted() {
    var told = /(?:^#|&)lang=(kk|ru|en)(?:&|$)/.exec(location.hash);
    if (told) { return told[1]; }
    var here = [kept("qala-language")].concat(navigator.languages || []).map(function (name) {
      return String(name).slice(0, 2);
    });
    return here.filter(function (name) { return languages.indexOf(name) >= 0; })[0] || "kk";
  }
  document.addEventListener("click", function (event) {
    var button = event.target.closest("button");
    if (!button) { return; }
    var language = button.getAttribute("data-language-button");
    var theme = button.getAttribute("data-theme-button");
    if (language) { speak(language); keep("qala-language", language); }
    if (theme) { colour(theme); keep("qala-theme", theme); }
  });
  window.addEventListener("hashchange", function () {
    var told = /(?:^#|&)lang=(kk|ru|en)(?:&|$)/.exec(location.hash);
    if (told) { speak(told[1]); }
  });
  window.addEventListener("beforeprint", function () {
    document.querySelectorAll("details").forEach(function (one) { one.open = true; });
  });
  speak(wanted());
  colour(kept("qala-theme"));
  document.querySelectorAll(".switches").forEach(function (one) { one.hidden = false; });
})();
