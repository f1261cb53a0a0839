/* Takes the ticket behind the # of an address, which no server is told and no history keeps. */
import { signedIn } from "./door.js";

const door = document.getElementById("door");

function enter() {
  const ticket = /^#([\w-]{22})$/.exec(location.hash)?.[1];
  if (!door || !ticket) return;
  history.replaceState(null, "", location.pathname + location.search);
  const form = door.querySelector("form");
  const field = form.elements.token;
  field.type = "hidden";
  field.value = ticket;
  for (const part of door.children) part.hidden = !part.matches("h1, .letting");
  form.submit();
}

addEventListener("hashchange", enter);
enter();
if (document.getElementById("signed-in")) signedIn();
