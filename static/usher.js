// Adds to HTML and htmx: failed requests show a toast, a swap keeps the focus, and screen readers
// announce the changed text of a swapped panel.
(() => {
  const byId = (id) => document.getElementById(id);
  let focused = null;

  const showToast = (kind) => {
    const toast = byId('toast');
    if (!toast) return;
    toast.firstElementChild.textContent = toast.dataset[kind];
    toast.hidden = false;
  };

  addEventListener('htmx:responseError', () => showToast('failed'));
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
    if (root && document.activeElement === document.body) root.focus({ preventScroll: true });
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
