// Live refresh, chart read-outs, the filter and a few comforts. Every page works without it.
"use strict";
(() => {
  const body = document.body;
  // Where the home page is; name and key of this page.
  const { base, page, key } = document.documentElement.dataset;

  // Whoever listens on the port after PocketHog has ended must not write into this page. What is shown comes
  // with a proof by the key, which is never sent: see server/proof.rs.
  const bytes = (text) => new TextEncoder().encode(text);
  const nonce = () => btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(24))));
  const secret = key && window.crypto?.subtle
    ? crypto.subtle.importKey("raw", bytes(key), { name: "HMAC", hash: "SHA-256" }, false, ["verify"])
    : null;
  async function proven(proof, ...parts) {
    if (!secret || !proof) return false;
    const texts = parts.map(bytes);
    const message = new Uint8Array(texts.reduce((sum, text) => sum + 8 + text.length, 0));
    let at = 0;
    for (const text of texts) {
      new DataView(message.buffer).setBigUint64(at, BigInt(text.length));
      message.set(text, at + 8);
      at += 8 + text.length;
    }
    const decoded = atob(proof.replaceAll("-", "+").replaceAll("_", "/"));
    const signature = Uint8Array.from(decoded, (letter) => letter.charCodeAt(0));
    return crypto.subtle.verify("HMAC", await secret, signature, message);
  }
  let over = false;
  function ended() {
    over = true;
    body.dataset.ended = "unproven";
    status("offline", "PocketHog has ended");
  }
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const el = (tag, className, text) => {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined && text !== null) node.textContent = text;
    return node;
  };

  // Parts arrive as HTML made by this program's own server; the latest one wins while it has to wait.
  const waiting = new Map();
  function wait(id, run) {
    waiting.set(id, run);
    showStatus();
  }
  const busy = (node) =>
    (node.contains(document.activeElement) && document.activeElement !== body) ||
    node.querySelector(".chart:hover, dialog[open], details.menu[open]") !== null;

  // Numbers are said in words once they have settled, and not again at every refresh.
  const PAUSE = 600_000;
  const announcer = body.appendChild(el("div", "hidden-label"));
  announcer.setAttribute("role", "status");
  let settling = 0, announcedAt = -Infinity;
  function announce(node) {
    const words = node.closest("[data-say]") ?? node.querySelector("[data-say]");
    if (!words || performance.now() - announcedAt < PAUSE) return;
    clearTimeout(settling);
    settling = setTimeout(() => {
      const now = document.querySelector("[data-say]");
      if (!now) return;
      announcedAt = performance.now();
      announcer.textContent = now.dataset.say;
    }, 2000);
  }

  function count(node, from, to) {
    if (calm.matches || from === to || !Number.isFinite(from)) return;
    const target = node.textContent;
    const started = performance.now();
    const step = (now) => {
      if (!node.isConnected) return;
      const share = Math.min(1, (now - started) / 600);
      if (share === 1) { node.textContent = target; return; }
      const eased = 1 - (1 - share) ** 3;
      node.textContent = Math.round(from + (to - from) * eased).toLocaleString("en-US");
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  function swap(id, html) {
    const old = document.getElementById(id);
    if (!old) return;
    if (busy(old)) { wait(id, () => swap(id, html)); return; }
    waiting.delete(id);
    if (id === "home") waiting.delete("order");
    const template = document.createElement("template");
    template.innerHTML = html;
    const fresh = template.content.firstElementChild;
    if (!fresh) return;
    const before = [...old.querySelectorAll("[data-number]")].map((node) => Number(node.dataset.number));
    fresh.hidden = old.hidden;
    // What was unfolded stays so.
    for (const kept of old.querySelectorAll("details[id], input.all")) {
      const same = fresh.querySelector(`#${CSS.escape(kept.id)}`);
      if (same) { same.open = kept.open; same.checked = kept.checked; }
    }
    for (const input of old.querySelectorAll("[data-live]")) {
      const same = fresh.querySelector(`[data-live="${input.dataset.live}"]`);
      if (same) same.value = input.value;
    }
    old.replaceWith(fresh);
    [...fresh.querySelectorAll("[data-number]")].forEach((node, place) =>
      count(node, before[place], Number(node.dataset.number)));
    announce(fresh);
    charts(fresh);
    sparks(fresh);
    countries(fresh);
    filters(fresh);
  }
  // Cards change places once nobody points at one.
  function order(ids) {
    const list = document.getElementById("cards");
    if (!list) return;
    if (list.matches(":hover") || list.querySelector("details.menu[open]") || list.contains(document.activeElement)) { wait("order", () => order(ids)); return; }
    waiting.delete("order");
    list.append(...ids.map((id) => document.getElementById(id)).filter((card) => card?.parentNode === list));
  }
  const settle = () => { [...waiting.values()].forEach((run) => run()); showStatus(); };
  addEventListener("focusout", () => setTimeout(settle));
  addEventListener("pointerout", () => { if (waiting.size) setTimeout(settle); });

  let newest = null;
  function status(state, text) {
    newest = [state, text];
    showStatus();
  }

  // What is shown is not live while something newer waits.
  function showStatus() {
    const node = document.getElementById("status");
    if (!node) return;
    const [state, text] = (newest ??= [node.dataset.state, node.lastElementChild.textContent]);
    const held = state === "live" && waiting.size > 0;
    node.dataset.state = held ? "updated" : state;
    node.lastElementChild.title = node.lastElementChild.textContent = held ? "New numbers wait" : text;
  }

  function progress(done, total) {
    const bar = document.getElementById("progress");
    if (!bar) return;
    bar.max = total || 1;
    bar.value = done;
    bar.hidden = done >= total;
    if (total === 0) { bar.hidden = false; bar.removeAttribute("value"); }
    if (done < total) status("loading", `Loading ${done} of ${total}`);
  }

  if (body.dataset.stream && "EventSource" in window && secret) {
    let stream = null, stay = null;
    const close = () => {
      if (stream) { stream.close(); stream = null; }
      stay?.abort();
      stay = null;
    };
    // A browser gives one host six connections, so that six windows with a stream each leave none for the next
    // page. Four windows follow their streams; others look for a moment, one at a time, until one of the four goes.
    const pause = (time, signal) => new Promise((done) => {
      const timer = setTimeout(done, time);
      signal.addEventListener("abort", () => { clearTimeout(timer); done(); }, { once: true });
    });
    const open = async () => {
      if (stay || document.hidden || over) return;
      if (!navigator.locks) { follow(); return; }
      stay = new AbortController();
      const { signal } = stay;
      let held = false;
      for (let place = 0; place < 4; place += 1) {
        navigator.locks.request(`stream-${place}`, { signal }, () => {
          if (held) return null;
          held = true;
          follow();
          return new Promise((done) => signal.addEventListener("abort", done, { once: true }));
        }).catch(() => {});
      }
      await pause(300, signal);
      while (!held && !signal.aborted) {
        await navigator.locks.request("stream-look", { signal }, async () => {
          if (held || signal.aborted) return;
          follow();
          await pause(2500, signal);
          if (!held && !signal.aborted && stream) { stream.close(); stream = null; }
        }).catch(() => {});
        await pause(10000, signal);
      }
    };
    const follow = () => {
      if (stream || document.hidden || over) return;
      const text = nonce();
      const address = new URL(body.dataset.stream, location.href);
      address.searchParams.set("page", page);
      address.searchParams.set("nonce", text);
      const mine = stream = new EventSource(address);
      let place = 0;
      // One after the other, in the order in which they came.
      let turn = Promise.resolve();
      stream.onopen = () => { place = 0; };
      const on = (name, react) => mine.addEventListener(name, (event) => {
        const [number, proof] = event.lastEventId.split(" ");
        const expected = String(place++);
        turn = turn.then(async () => {
          if (mine !== stream) return;
          const good = number === expected && await proven(proof, "event", text, expected, name, event.data).catch(() => false);
          if (mine !== stream) return;
          if (!good) { close(); ended(); return; }
          delete body.dataset.ended;
          react(JSON.parse(event.data));
        });
      });
      on("part", (part) => swap(part.id, part.html));
      on("order", order);
      on("progress", (now) => progress(now.done, now.total));
      on("status", (now) => {
        if (now.state === "signed-out") { close(); location.assign(base); return; }
        status(now.state, now.text);
      });
      stream.onerror = () => { body.dataset.ended = ""; status("offline", "PocketHog has ended"); };
    };
    document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
    addEventListener("pagehide", close);
    addEventListener("pageshow", open);
    open();
  } else if (body.dataset.stream) {
    // A browser that cannot check a proof shows nothing live.
    setTimeout(() => location.reload(), 60000);
  }

  // Charts: a read-out under the pointer or finger. A click on a day starts a note; a finger shows the day first,
  // and the read-out has a button.
  function charts(root) {
    for (const chart of root.querySelectorAll(".chart[data-points]")) {
      const plot = chart.querySelector(".plot");
      const points = JSON.parse(chart.dataset.points);
      const last = Math.max(1, points.length - 1);
      const dialog = document.getElementById("add-note");
      const holder = chart.closest("[data-dates]");
      const dates = dialog && holder ? JSON.parse(holder.dataset.dates) : null;
      const drawn = [];
      let tip = null, finger = false;
      const unmark = () => { for (const node of drawn.splice(0)) node.remove(); };
      const clear = () => { unmark(); tip?.remove(); tip = null; };
      const placeAt = (event) => {
        const box = plot.getBoundingClientRect();
        const share = (event.clientX - box.left) / box.width;
        return Math.max(0, Math.min(points.length - 1, Math.round(share * (points.length - 1))));
      };
      const show = (left, lines) => {
        if (!tip) { tip = el("div", "tip"); plot.append(tip); }
        tip.replaceChildren(...lines);
        const most = plot.clientWidth - tip.offsetWidth;
        tip.style.left = `${Math.max(0, Math.min(most, left - tip.offsetWidth / 2))}px`;
        tip.style.top = "18px";
      };
      const mark = (className, left, high) => {
        const node = el("div", className);
        node.style.left = `${left}px`;
        if (high !== undefined) node.style.top = `${(1 - high) * plot.clientHeight}px`;
        drawn.push(node);
        plot.append(node);
      };
      const note = (place) => {
        dialog.querySelector("[name=date]").value = dates[place] ?? "";
        open(dialog);
      };
      const read = (event) => {
        if (event.target.closest?.(".tip")) return;
        finger = event.pointerType === "touch";
        unmark();
        const marker = event.target.closest?.(".marker");
        if (marker) {
          const box = plot.getBoundingClientRect();
          const notes = JSON.parse(marker.dataset.notes);
          const at = marker.getBoundingClientRect();
          show(at.left + at.width / 2 - box.left, notes.flatMap(([text, when]) => [el("b", "", text), el("span", "", when)]));
          return;
        }
        const place = placeAt(event);
        const [name, now, before, then, high, highThen] = points[place];
        const left = (place / last) * plot.clientWidth;
        mark("cursor", left);
        if (highThen !== null) mark("spot then", left, highThen);
        if (high !== null) mark("spot", left, high);
        const lines = [el("b", "", now === null ? name : `${now} · ${name}`)];
        if (before !== null) lines.push(el("span", "", then ? `${before} · ${then}, ${chart.dataset.before}` : `${before} ${chart.dataset.before}`));
        if (dates && finger) {
          const button = el("button", "button small", "Add annotation");
          button.type = "button";
          button.addEventListener("click", (click) => { click.stopPropagation(); clear(); note(place); });
          lines.push(button);
        }
        show(left, lines);
      };
      plot.addEventListener("pointerdown", read);
      plot.addEventListener("pointermove", read);
      plot.addEventListener("pointercancel", clear);
      // What a finger has shown stays until it touches something else.
      plot.addEventListener("pointerleave", (event) => { if (event.pointerType !== "touch") clear(); });
      document.addEventListener("pointerdown", (event) => { if (tip && !plot.contains(event.target)) clear(); });
      if (dates) {
        chart.classList.add("clickable");
        plot.addEventListener("click", (event) => {
          if (!finger && !event.target.closest(".tip")) note(placeAt(event));
        });
      }
    }
  }
  charts(document);

  // Sparklines: day and number of the place under the pointer. The link of the card covers all of it.
  function sparks(root) {
    for (const spark of root.querySelectorAll(".spark[data-days]")) {
      const card = spark.closest(".card");
      const days = spark.dataset.days.split(" ");
      const [year, month, day] = spark.dataset.today.split("-").map(Number);
      let tip = null;
      const clear = () => { tip?.remove(); tip = null; };
      card.addEventListener("pointerleave", clear);
      card.addEventListener("pointermove", (event) => {
        const box = spark.getBoundingClientRect();
        const { clientX: x, clientY: y, pointerType } = event;
        if (pointerType === "touch" || x < box.left || x > box.right || y < box.top || y > box.bottom) { clear(); return; }
        // A thumbnail shows the later half.
        const from = matchMedia("(max-width: 639px)").matches ? (days.length - 1) / 2 : 0;
        const place = Math.round(from + ((x - box.left) / box.width) * (days.length - 1 - from));
        const date = new Date(Date.UTC(year, month - 1, day - (days.length - 1 - place)));
        const name = date.toLocaleDateString("en-GB", { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" });
        const so = place === days.length - 1 ? ", so far" : "";
        if (!tip) { tip = el("div", "tip"); card.append(tip); }
        tip.replaceChildren(el("b", "", `${Number(days[place]).toLocaleString("en-US")} · ${name}${so}`));
        const outer = card.getBoundingClientRect();
        const most = outer.width - tip.offsetWidth - 8;
        tip.style.left = `${Math.max(8, Math.min(most, x - outer.left - tip.offsetWidth / 2))}px`;
        tip.style.top = `${Math.max(4, box.top - outer.top - tip.offsetHeight + 8)}px`;
      });
    }
  }
  sparks(document);
  addEventListener("beforeprint", () => {
    const made = document.querySelector(".printed time");
    if (made) made.textContent = new Date().toLocaleString("en-GB", { dateStyle: "long", timeStyle: "short" }).replace(" at ", ", ");
  });

  // Countries by name, in the browser's own words.
  function countries(root) {
    if (!Intl.DisplayNames) return;
    const names = new Intl.DisplayNames(document.documentElement.lang, { type: "region" });
    for (const node of root.querySelectorAll("[data-country]")) {
      try { node.title = node.textContent = names.of(node.dataset.country.toUpperCase()); } catch { /* not a region */ }
    }
  }
  countries(document);

  // Dialogs: without the script their links lead to a page with the same form.
  function open(dialog) {
    dialog.showModal();
    dialog.querySelector("textarea, input:not([type=hidden])")?.focus();
  }
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-dialog]");
    const dialog = opener && document.getElementById(opener.dataset.dialog);
    if (dialog) { event.preventDefault(); open(dialog); }
    if (event.target.closest("[data-close]")) { event.preventDefault(); event.target.closest("dialog")?.close(); }
    if (event.target.nodeName === "DIALOG") event.target.close();
  });

  // The menu of a card closes by Esc and by a touch elsewhere, as menus do.
  const menus = () => document.querySelectorAll("details.menu[open]");
  document.addEventListener("pointerdown", (event) => {
    for (const menu of menus()) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of menus()) { menu.open = false; menu.querySelector("summary").focus(); }
  });
  document.addEventListener("toggle", (event) => { if (event.target.matches?.(".menu")) setTimeout(settle); }, true);
  // Back to what is shown now: the filter may have been typed since the card was drawn.
  document.addEventListener("submit", ({ target }) => {
    if (target.closest(".menu") && target.elements.back) target.elements.back.value = `/${location.search}`;
  });

  // What is said once about the change that led here is not said again after a reload.
  for (const { dataset } of document.querySelectorAll("[data-once]")) {
    const address = new URL(location.href);
    address.searchParams.delete(dataset.once);
    history.replaceState(null, "", address);
  }

  // Choices that can be taken back by choosing again apply at once. Without the script a button saves them.
  for (const form of document.querySelectorAll("form[data-at-once]")) {
    const button = form.querySelector("button[type=submit]");
    const said = el("p", "saved");
    said.setAttribute("role", "status");
    button.hidden = true;
    button.before(said);
    const fields = () => new URLSearchParams(new FormData(form));
    let kept = fields().toString(), turn = Promise.resolve();
    const save = async () => {
      const chosen = fields();
      if (chosen.toString() === kept) return;
      kept = chosen.toString();
      said.textContent = "";
      const mine = nonce();
      const headers = { "x-pockethog-page": page, "x-pockethog-nonce": mine };
      const answer = await fetch(form.action, { method: "POST", body: chosen, headers }).catch(() => null);
      const text = await answer?.text().catch(() => null);
      const good = answer && await proven(answer.headers.get("x-pockethog-proof"), "answer", mine, text).catch(() => false);
      if (!good) { ended(); return; }
      const fresh = new DOMParser().parseFromString(text, "text/html");
      const problems = [...fresh.querySelectorAll("main .notice.bad")];
      if (problems.length) {
        // The next choice tries again, with this one.
        document.querySelector("main").prepend(...problems);
        problems[0].scrollIntoView({ block: "nearest" });
        kept = "";
        return;
      }
      const { mode, scheme } = fresh.documentElement.dataset;
      Object.assign(document.documentElement.dataset, { mode, scheme });
      if (form.dataset.atOnce) {
        for (const old of document.querySelectorAll(form.dataset.atOnce)) {
          const now = fresh.querySelector(`.${old.classList[0]}`);
          if (now) old.replaceWith(now);
        }
      }
      said.textContent = "Saved.";
    };
    const soon = () => { turn = turn.then(save); };
    form.addEventListener("change", soon);
    form.addEventListener("submit", (event) => { event.preventDefault(); event.stopPropagation(); soon(); });
  }

  // How the home page was sorted and filtered is there after a look at a project.
  function remember() {
    if (body.classList.contains("home")) sessionStorage.setItem("home", location.search);
  }
  remember();
  if (!body.classList.contains("home")) {
    const search = sessionStorage.getItem("home");
    for (const link of document.querySelectorAll("a[href]")) {
      if (search && link.getAttribute("href") === base) link.search = search;
    }
  }

  // The filter, as one types. What was typed stays when the list is replaced.
  function filters(root) {
    for (const input of root.querySelectorAll("[data-live]")) {
      const list = document.getElementById(input.dataset.live);
      const title = document.querySelector("[data-many]");
      if (!list) continue;
      const filter = () => {
        const wanted = input.value.trim().toLowerCase();
        let found = 0;
        for (const item of list.children) {
          item.hidden = !item.dataset.text.includes(wanted);
          if (!item.hidden) found += 1;
        }
        const none = document.getElementById(`${list.id}-none`);
        if (none) { none.hidden = found > 0; none.querySelector("bdi").textContent = input.value.trim(); }
        if (title) title.textContent = `${found} ${found === 1 ? title.dataset.one : title.dataset.many}`;
      };
      input.addEventListener("input", () => {
        filter();
        // What was typed is there after a look at a project.
        const address = new URL(location.href);
        address.searchParams.set("filter", input.value.trim());
        history.replaceState(null, "", address);
        remember();
      });
      input.addEventListener("keydown", (event) => {
        if (event.key === "Escape" && input.value) {
          event.preventDefault();
          input.value = "";
          input.dispatchEvent(new Event("input"));
        }
        const found = [...list.children].filter((item) => !item.hidden);
        if (event.key === "Enter" && input.value && found.length) {
          event.preventDefault();
          found[0].querySelector("a")?.click();
        }
      });
      if (input.value) filter();
    }
  }
  filters(document);
  addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.nodeName === "TEXTAREA") {
      event.preventDefault();
      event.target.form?.requestSubmit();
      return;
    }
    if (event.key !== "/" || event.ctrlKey || event.metaKey || /INPUT|TEXTAREA|SELECT/.test(event.target.nodeName)) return;
    const input = document.querySelector(".filter input");
    if (input) { event.preventDefault(); input.focus(); }
  });

  // The list of projects in the settings: searched as one types, and put into order without leaving the
  // page. The server answers both with the page that a browser without scripts would show.
  const list = document.getElementById("project-list");
  if (list) {
    let newest = 0;
    const show = async (address, options) => {
      const turn = (newest += 1);
      const mine = nonce();
      const headers = { "x-pockethog-page": page, "x-pockethog-nonce": mine };
      const answer = await fetch(address, { ...options, headers }).catch(() => null);
      const text = await answer?.text().catch(() => null);
      if (turn !== newest) return;
      const good = answer && await proven(answer.headers.get("x-pockethog-proof"), "answer", mine, text).catch(() => false);
      if (!good) { ended(); return; }
      const fresh = new DOMParser().parseFromString(text, "text/html");
      const rows = fresh.getElementById("project-list");
      if (turn !== newest) return;
      if (!rows) { location.reload(); return; }
      document.querySelector("main").prepend(...fresh.querySelectorAll("main > .notice"));
      list.replaceChildren(...rows.childNodes);
      ready();
      list.querySelector("[autofocus]")?.focus();
    };
    const ready = () => { for (const item of list.querySelectorAll("[data-order] > li")) item.draggable = true; };
    const send = (fields) => show(`${base}settings/order`, { method: "POST", body: new URLSearchParams(fields) });
    ready();

    const search = document.querySelector("[data-search=project-list]");
    let pause = 0;
    search?.addEventListener("input", () => {
      clearTimeout(pause);
      pause = setTimeout(() => {
        const address = `${base}settings?filter=${encodeURIComponent(search.value.trim())}`;
        history.replaceState(null, "", address);
        show(address);
      }, 150);
    });

    list.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!event.target.dataset.sent) send(new FormData(event.target, event.submitter));
    });
    // A number is taken when one leaves its field, too.
    list.addEventListener("focusout", ({ target }) => {
      if (target.name === "place" && target.isConnected && target.value !== target.defaultValue) target.form.requestSubmit();
    });

    // By dragging: beside the one it was dropped on, among favourites or among the others.
    let dragged = null, from = null;
    const rowOf = (event) => event.target.closest?.("[data-order] > li");
    list.addEventListener("dragstart", (event) => {
      dragged = rowOf(event);
      from = dragged?.nextElementSibling;
      dragged?.classList.add("dragged");
    });
    list.addEventListener("dragover", (event) => {
      const over = rowOf(event);
      if (!dragged || !over || over === dragged) return;
      if (over.hasAttribute("data-favourite") !== dragged.hasAttribute("data-favourite")) return;
      event.preventDefault();
      const box = over.getBoundingClientRect();
      over[event.clientY < box.top + box.height / 2 ? "before" : "after"](dragged);
    });
    list.addEventListener("drop", (event) => event.preventDefault());
    list.addEventListener("dragend", () => {
      const row = dragged;
      dragged = null;
      row?.classList.remove("dragged");
      if (!row || row.nextElementSibling === from) return;
      const { nextElementSibling: below, previousElementSibling: above } = row;
      const same = (other) => other && other.hasAttribute("data-favourite") === row.hasAttribute("data-favourite");
      const fields = { key: row.dataset.key, filter: row.parentNode.dataset.filter };
      if (same(above)) fields.after = above.dataset.key;
      else if (same(below)) fields.before = below.dataset.key;
      else return;
      send(fields);
    });
  }

  // What was typed into a note survives a failed save, a closed tab and a lost connection, until it is saved.
  const saved = document.querySelector("[data-saved]");
  if (saved) sessionStorage.removeItem(`note:${saved.dataset.saved}`);
  for (const field of document.querySelectorAll("textarea[data-keep]")) {
    const name = `note:${field.dataset.keep}`;
    const kept = sessionStorage.getItem(name);
    if (kept && !field.value) field.value = kept;
    field.addEventListener("input", () => sessionStorage.setItem(name, field.value));
  }
  for (const closer of document.querySelectorAll("dialog [data-close]")) {
    const field = closer.closest("dialog").querySelector("textarea");
    closer.addEventListener("click", () => {
      sessionStorage.removeItem(`note:${field.dataset.keep}`);
      field.value = field.defaultValue;
    });
  }

  // A second click while an answer is on its way would send a form twice.
  addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "1";
  });
  addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  });

  // A link to something folded away opens it.
  const unfold = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && target.nodeName === "DETAILS") { target.open = true; target.scrollIntoView(); }
  };
  addEventListener("hashchange", unfold);
  unfold();

  // A form that the server sent back open becomes a real dialog.
  const opened = document.querySelector("dialog[open]");
  if (opened) { opened.close(); open(opened); }
})();
