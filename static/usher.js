// Adds to HTML and htmx: failed requests show a toast, a swap keeps the focus, and screen readers
// announce the changed text of a swapped panel.
(() => {
  const byId = (id) => document.getElementById(id);
  let focused = null;

  const showToast = (kind, reason) => {
    const toast = byId('toast');
    if (!toast) return;
    toast.firstElementChild.textContent = reason || toast.dataset[kind];
    toast.hidden = false;
  };

  // A refused request says why in plain text.
  const reasonOf = (xhr) =>
    xhr.status < 500 && (xhr.getResponseHeader('Content-Type') || '').startsWith('text/plain') ? xhr.responseText.trim() : '';

  addEventListener('htmx:responseError', (event) => showToast('failed', reasonOf(event.detail.xhr)));
  addEventListener('htmx:sendError', () => showToast('offline'));
  addEventListener('htmx:timeout', () => showToast('offline'));

  addEventListener('htmx:beforeSwap', (event) => {
    // A refused confirmation comes with the new amounts.
    const { xhr } = event.detail;
    if (xhr.status === 409 && xhr.getResponseHeader('HX-Retarget')) {
      event.detail.shouldSwap = true;
      event.detail.isError = false;
    }
    if (event.detail.shouldSwap) byId('toast').hidden = true;
    const target = event.detail.target;
    focused = target.contains(document.activeElement) ? target.id : null;
  });

  addEventListener('htmx:afterSettle', (event) => {
    const root = focused && byId(focused);
    if (root && document.activeElement === document.body) {
      (root.querySelector('[data-focus]') ?? root).focus({ preventScroll: true });
    }
    focused = null;
    const announcement = event.detail.elt.querySelector?.('[data-announce]')?.textContent.trim().replace(/\s+/g, ' ');
    const announcer = byId('announcer');
    if (announcement && announcer && announcer.textContent !== announcement) {
      announcer.textContent = announcement;
    }
  });

  addEventListener('click', (event) => {
    if (!event.target.closest('[data-dismiss]')) return;
    byId('toast').hidden = true;
    byId('content').focus({ preventScroll: true });
  });
})();

// A form that is being sent says so on its button and is not sent twice. The button keeps the focus
// and its words: it is not disabled for the browser, which would drop both the focus and its value.
(() => {
  const limit = 20000; // milliseconds; the server answers within them
  const busy = new Map();

  const buttonOf = (form, submitter) => submitter
    ?? [...form.elements].find((element) => element.type === 'submit' && element.checkVisibility());

  const begin = (form, submitter) => {
    const button = buttonOf(form, submitter);
    for (const name of ['aria-busy', 'aria-disabled']) button?.setAttribute(name, 'true');
    busy.set(form, { button, timer: setTimeout(() => end(form), limit) });
  };

  const end = (form) => {
    const { button, timer } = busy.get(form) ?? {};
    clearTimeout(timer);
    for (const name of ['aria-busy', 'aria-disabled']) button?.removeAttribute(name);
    busy.delete(form);
  };

  addEventListener('submit', (event) => {
    if (!busy.has(event.target)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }, true);

  // Scripts that send a form themselves, htmx among them, prevent the browser from doing it.
  addEventListener('submit', (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.target === '_blank') return;
    begin(form, event.submitter);
  });

  addEventListener('htmx:beforeRequest', ({ detail }) => {
    if (detail.elt.matches('form')) begin(detail.elt, detail.requestConfig.triggeringEvent?.submitter);
  });
  addEventListener('htmx:afterRequest', ({ detail }) => end(detail.elt));

  // The browser may bring a page back as it was left.
  addEventListener('pageshow', (event) => event.persisted && [...busy.keys()].forEach(end));
})();

// Another theme needs no new page.
addEventListener('submit', (event) => {
  const { target, submitter } = event;
  if (!target.matches('[data-theme-form]') || !submitter) return;
  event.preventDefault();
  const theme = submitter.value;
  fetch(target.action, { method: 'POST', body: new URLSearchParams({ theme }), redirect: 'manual' })
    .then(() => {
      const { dataset } = document.documentElement;
      if (theme === 'system') delete dataset.theme; else dataset.theme = theme;
      for (const button of document.querySelectorAll('[data-theme-form] button')) {
        button.setAttribute('aria-pressed', button.value === theme);
      }
    }, () => dispatchEvent(new Event('htmx:sendError')));
}, true);
