// The pricing page without a request per person: the totals, the drawing, the forms and the address
// follow the number of people. Without this script each change loads the page again.
(() => {
  const all = (selector) => document.querySelectorAll(selector);
  const field = () => document.getElementById('seats');
  let announcing;

  const grouped = (n) => n.toLocaleString(document.documentElement.lang);

  // A total is the price of one person, in the currency's smallest unit, times the people.
  const showTotal = (line, people) => {
    const { unit, decimals, least } = line.dataset;
    const seats = Math.max(people, least);
    const minor = unit * seats;
    const digits = minor % 10 ** decimals ? decimals : 0;
    const amount = (minor / 10 ** decimals).toLocaleString(document.documentElement.lang, { minimumFractionDigits: digits, maximumFractionDigits: digits });
    const figure = line.firstElementChild;
    figure.textContent = figure.textContent.replace(/\d[\d.,]*/, amount);
    line.querySelector('span span').textContent = grouped(seats);
  };

  const showSeats = (people) => {
    const theatre = document.querySelector('[data-theatre]');
    const many = document.querySelector('[data-many]');
    let left = people;
    for (const row of theatre.querySelectorAll('g')) {
      // The rows that are drawn for one person have the same view.
      const seen = left > 0 || row.dataset.view === theatre.querySelector('g').dataset.view;
      if (seen) theatre.firstElementChild.setAttribute('viewBox', row.dataset.view);
      row.classList.toggle('hidden', !seen);
      for (const seat of row.children) seat.classList.toggle('seat-billed', left-- > 0);
    }
    theatre.hidden = left > 0;
    many.hidden = left <= 0;
    many.querySelector('[data-people]').textContent = grouped(people);
  };

  const keep = (people) => {
    const address = new URL(location);
    address.searchParams.set('interval', document.querySelector('#chooser [name=interval]').value);
    address.searchParams.set('seats', people);
    history.replaceState(null, '', address);
    for (const input of all('input[type=hidden][name=seats]')) input.value = people;
    for (const link of all('[data-interval]')) {
      const to = new URL(link.href);
      to.searchParams.set('seats', people);
      link.href = to;
    }
  };

  const announce = () => {
    clearTimeout(announcing);
    announcing = setTimeout(() => {
      const spoken = [...all('#plans article')].map((card) => {
        const line = card.querySelector('[data-unit]');
        return line && `${card.querySelector('h2').textContent}: ${line.textContent.trim().replace(/\s+/g, ' ')}`;
      });
      document.getElementById('announcer').textContent = spoken.filter(Boolean).join('. ');
    }, 600);
  };

  const show = () => {
    const people = field().valueAsNumber;
    if (!field().checkValidity() || !Number.isInteger(people)) return;
    field().removeAttribute('aria-invalid');
    document.getElementById('seats-error')?.remove();
    all('[data-unit]').forEach((line) => showTotal(line, people));
    showSeats(people);
    keep(people);
    for (const button of all('[name=step]')) button.disabled = people + +button.value < 1 || people + +button.value > field().max;
    announce();
  };

  // Another interval changes the plans and the chooser, not the place on the page.
  const load = async (href) => {
    const answer = await fetch(href);
    if (!answer.ok) throw new Error(answer.status);
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    for (const id of ['chooser', 'plans']) document.getElementById(id).replaceWith(page.getElementById(id));
    history.replaceState(null, '', href);
    document.querySelector('[data-interval][aria-current]').focus({ preventScroll: true });
    announce();
  };

  addEventListener('input', (event) => event.target === field() && show());

  addEventListener('submit', (event) => {
    if (!event.target.matches('[data-live]')) return;
    event.preventDefault();
    const step = Number(event.submitter?.value) || 0;
    field().value = Math.min(Math.max((field().valueAsNumber || 1) + step, 1), field().max);
    show();
    if (event.submitter?.disabled) field().focus();
  });

  addEventListener('click', (event) => {
    const link = event.target.closest('[data-interval]');
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
    event.preventDefault();
    load(link.href).catch(() => { location = link.href; });
  });

  // A browser that goes back restores the number without an event.
  addEventListener('pageshow', () => field() && field().value !== field().defaultValue && show());
})();
