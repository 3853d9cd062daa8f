// The pages work without this, but for a link that signs in and the check of a
// signature: both need the browser itself.
"use strict";

// A link has its key behind #. It is sent as a form, once, and taken out of the
// address so that it is not in the history.
const enter = document.querySelector("form[data-enter]");
if (enter && location.hash.length > 1) {
  enter.elements.key.value = decodeURIComponent(location.hash.slice(1));
  history.replaceState(null, "", location.pathname + location.search);
  enter.submit();
}

// Parts that change are read again from the page itself.
for (const part of document.querySelectorAll("[data-refresh]")) {
  const id = part.id;
  const again = async () => {
    const old = document.getElementById(id);
    if (!old || !old.dataset.refresh) return;
    if (!document.hidden && !old.contains(document.activeElement) && !old.querySelector("details[open]")) {
      try {
        const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "manual" });
        if (answer.ok) {
          const page = new DOMParser().parseFromString(await answer.text(), "text/html");
          const fresh = page.getElementById(id);
          if (fresh) old.replaceWith(document.adoptNode(fresh));
        }
      } catch { /* the next time */ }
    }
    setTimeout(again, Number(old.dataset.refresh));
  };
  setTimeout(again, Number(part.dataset.refresh));
}

// Standard Webhooks, v1: HMAC-SHA256 over id.timestamp.body.
const bytesOf = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
async function verify(secret, id, timestamp, body, signatures) {
  const key = await crypto.subtle.importKey("raw", bytesOf(secret.replace(/^whsec_/, "")), { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
  const signed = new TextEncoder().encode(`${id}.${timestamp}.${body}`);
  for (const signature of signatures.trim().split(/\s+/)) {
    const [scheme, value] = signature.split(",");
    if (scheme === "v1" && value && await crypto.subtle.verify("HMAC", key, bytesOf(value), signed)) return true;
  }
  return false;
}
for (const panel of document.querySelectorAll("[data-verify]")) {
  const field = (name) => panel.querySelector("#v-" + name).value;
  const say = (text, ok) => {
    const output = panel.querySelector("output");
    output.textContent = text;
    output.className = ok ? "state ok" : "state failed";
  };
  panel.querySelector("[data-verify-now]").addEventListener("click", async () => {
    if (!window.crypto || !crypto.subtle) return say("This browser verifies on https or localhost only.", false);
    try {
      const good = await verify(field("secret").trim(), field("id").trim(), field("timestamp").trim(), field("body"), field("signature"));
      say(good ? "The signature is right." : "No signature is right: look at the secret, and whether the body is the same byte for byte.", good);
    } catch {
      say("The secret or the signature is not base64.", false);
    }
  });
}
