// Adds to the members page: the price of a selection, a person's page in a drawer, and the button
// that saves another role. Without it, all of this works as forms and pages.
(() => {
  const byId = (id) => document.getElementById(id);
  const boxes = () => [...document.querySelectorAll('input[name="member"]')];
  const selected = () => boxes().filter((box) => box.checked);
  let timer = 0;
  let opener = ''; // id of the control that opened the panel

  const closePanel = () => {
    byId('seat-change').replaceChildren();
    byId(opener)?.focus({ preventScroll: true });
  };

  const showSelection = () => {
    const count = selected().length;
    const output = document.querySelector('[data-selected]');
    if (output) output.textContent = output.dataset.selected.replace('{1}', count.toLocaleString(document.documentElement.lang));
    const all = byId('select-all');
    if (all) {
      all.checked = count > 0 && count === boxes().length;
      all.indeterminate = count > 0 && !all.checked;
    }
    clearTimeout(timer);
    if (count === 0) byId('seat-change').replaceChildren();
    else timer = setTimeout(showPrice, 350);
  };

  const showPrice = () => {
    const form = byId('selected-seats');
    if (!form || selected().length === 0) return;
    htmx.ajax('POST', form.getAttribute('action'), { source: form, target: '#seat-change', values: { preview: 'on' } });
  };

  addEventListener('change', ({ target }) => {
    if (target.id === 'select-all') boxes().forEach((box) => { box.checked = target.checked; });
    if (target.id === 'select-all' || target.name === 'member') showSelection();
    const role = target.closest('[data-role]');
    if (role) role.toggleAttribute('data-changed', !target.selectedOptions[0].defaultSelected);
  });

  // The check boxes belong to the form that is reset.
  addEventListener('reset', ({ target }) => {
    if (target.id === 'selected-seats') setTimeout(showSelection);
  });

  addEventListener('click', (event) => {
    if (event.target.closest('[data-close]')) {
      event.preventDefault();
      closePanel();
      boxes().forEach((box) => { box.checked = false; });
      showSelection();
    }
    const link = event.target.closest('[data-drawer]');
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    htmx.ajax('GET', link.getAttribute('href'), { target: '#member-drawer-content', select: '#member' });
  });

  addEventListener('htmx:beforeRequest', ({ detail }) => {
    if (detail.target.id !== 'seat-change' || detail.target.contains(document.activeElement)) return;
    opener = document.activeElement.id;
  });

  addEventListener('htmx:afterSettle', ({ detail }) => {
    if (detail.target.id === 'member-drawer-content' && !byId('member-drawer').open) byId('member-drawer').showModal();
    if (detail.target.id === 'seat-change') document.querySelector('#invite-progress[data-continue]')?.requestSubmit();
  });

  // A refused change leaves the role as it was.
  addEventListener('htmx:afterRequest', ({ detail }) => {
    const form = detail.elt.closest?.('[data-role]');
    if (!form || detail.xhr.status < 400) return;
    form.reset();
    form.removeAttribute('data-changed');
  });
})();
