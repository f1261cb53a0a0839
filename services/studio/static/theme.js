/* Shows the theme that was chosen, before anything is painted. */
const chosen = localStorage.getItem("theme");
if (chosen) document.documentElement.dataset.theme = chosen;
