// What plain HTML and htmx leave open: an error is said aloud, the focus is never lost in a swap, and news in a swapped panel is heard.
(() => {
  const byId = (id) => document.getElementById(id);
  let focused = null;

  const say = (kind) => {
    const toast = byId('toast');
    if (!toast) return;
    toast.firstElementChild.textContent = toast.dataset[kind];
    toast.hidden = false;
  };

  addEventListener('htmx:responseError', () => say('failed'));
  addEventListener('htmx:sendError', () => say('offline'));
  addEventListener('htmx:timeout', () => say('offline'));

  addEventListener('htmx:beforeSwap', (event) => {
    if (event.detail.shouldSwap) byId('toast').hidden = true;
    const target = event.detail.target;
    focused = target.contains(document.activeElement) ? target.id : null;
  });

  addEventListener('htmx:afterSettle', (event) => {
    const root = focused && byId(focused);
    if (root && document.activeElement === document.body) root.focus({ preventScroll: true });
    focused = null;
    const news = event.detail.elt.querySelector?.('[data-announce]')?.textContent.trim().replace(/\s+/g, ' ');
    const voice = byId('announcer');
    if (news && voice && voice.textContent !== news) voice.textContent = news;
  });

  addEventListener('click', (event) => {
    if (!event.target.closest('[data-dismiss]')) return;
    byId('toast').hidden = true;
    byId('content').focus({ preventScroll: true });
  });
})();
