// One EventSource: its news replace elements by their ids. Without this script every page works, and is read again by hand.
(() => {
  'use strict';
  const STALE_AFTER = 5000;
  const TRY_AGAIN_AFTER = 5000;
  const live = document.getElementById('live');
  const news = document.getElementById('news');
  const pause = document.getElementById('pause');
  const shown = new Map();
  let source = null;
  let heard = Date.now();
  let paused = null;
  let stale = false;

  const clock = (time) => new Date(time).toISOString().slice(11, 19) + ' UTC';
  const say = (element, words) => {
    if (element.textContent !== words) element.textContent = words;
  };

  // ---- news ----

  function replace(old, fresh) {
    const open = [...old.querySelectorAll('details[id][open]')].map((details) => details.id);
    const focused = old.contains(document.activeElement) ? document.activeElement : null;
    const place = focused && [...old.querySelectorAll(focused.localName)].indexOf(focused);
    const href = focused && focused.getAttribute('href');
    for (const id of open) {
      const details = fresh.querySelector('#' + CSS.escape(id));
      if (details) details.open = true;
    }
    old.replaceWith(fresh);
    if (!focused) return;
    const same = [...fresh.querySelectorAll(focused.localName)];
    const again = (href && same.find((other) => other.getAttribute('href') === href)) || same[place];
    if (again) again.focus({ preventScroll: true });
  }

  function update(html) {
    const page = new DOMParser().parseFromString(html, 'text/html');
    const verdict = page.getElementById('verdict');
    if (!verdict) return;
    const before = document.getElementById('verdict');
    if (before.className !== verdict.className) say(news, verdict.textContent.trim());
    const main = document.getElementById('main');
    const order = (root) => [...root.querySelectorAll('section')].map((section) => section.id).join();
    const fresh = [...page.querySelectorAll('[data-live]')];
    const known = order(main) === order(page);
    for (const element of fresh) {
      const old = document.getElementById(element.id);
      const text = element.outerHTML;
      if (!old || (!known && element.localName === 'section') || shown.get(element.id) === text) continue;
      shown.set(element.id, text);
      replace(old, element);
    }
    if (known) return;
    main.querySelectorAll('section').forEach((section) => section.remove());
    fresh.filter((element) => element.localName === 'section').forEach((section) => main.append(section));
  }

  function listen() {
    const page = location.pathname + location.search;
    source = new EventSource('/live?page=' + encodeURIComponent(page));
    source.onmessage = (event) => {
      heard = Date.now();
      update(event.data);
      tell();
    };
    source.onerror = () => {
      if (source && source.readyState === EventSource.CLOSED) {
        setTimeout(() => { if (!paused && source && source.readyState === EventSource.CLOSED) listen(); }, TRY_AGAIN_AFTER);
      }
    };
  }

  function tell() {
    const silent = Date.now() - heard;
    const now = !paused && silent > STALE_AFTER;
    if (now && !stale) say(news, 'Stale: no news from the console.');
    if (!now && stale && !paused) say(news, 'Live again.');
    stale = now;
    document.body.classList.toggle('stale', stale);
    if (paused) say(live, 'Paused since ' + clock(paused) + '.');
    else if (stale) say(live, 'Stale: no news for ' + Math.round(silent / 1000) + ' s.');
    else say(live, 'Live.');
  }

  pause.addEventListener('click', () => {
    if (paused) {
      paused = null;
      heard = Date.now();
      listen();
    } else {
      paused = Date.now();
      source.close();
      source = null;
    }
    pause.textContent = paused ? 'Resume' : 'Pause';
    tell();
  });

  if (!document.body.hasAttribute('data-still')) {
    pause.hidden = false;
    listen();
    tell();
    setInterval(tell, 1000);
  }

  // ---- keys ----

  let leading = 0;
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest('input, textarea, select')) {
      if (event.key === 'Escape') event.target.blur();
      return;
    }
    const leads = Date.now() - leading < 1500;
    leading = 0;
    if (event.key === '/') {
      event.preventDefault();
      document.getElementById('q').focus();
    } else if (event.key === '?') {
      const keys = document.getElementById('keys');
      keys.open = !keys.open;
      if (keys.open) keys.querySelector('summary').focus();
    } else if (event.key === 'g') {
      leading = Date.now();
    } else if (leads) {
      const link = document.querySelector('a[data-key="' + CSS.escape(event.key) + '"]');
      if (link) link.click();
    }
  });

  // ---- the reader's own time ----

  const local = (event) => {
    const time = event.target.closest && event.target.closest('time[datetime]');
    if (time) time.title = new Date(time.dateTime).toLocaleString() + ' (local)';
  };
  document.addEventListener('mouseover', local);
  document.addEventListener('focusin', local);
})();
