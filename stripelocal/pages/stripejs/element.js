// The card fields in a frame of the local Stripe's own origin. The page around it never sees what is
// entered: it asks for a payment method or a token, which this script creates from the entered card.
// Like the API, it takes Stripe's test cards only.
'use strict';

const form = document.querySelector('form');
let port; // to the page's Stripe.js
let settings; // of this element: type, key, version, group and options
let others; // the channel to the other frames of a card with a frame for each field
const fields = new Map(); // name to field, in order

// The names of the inputs are those of Stripe's frames, which end-to-end tests look for.
const fieldsOf = {
  payment: { number: 'number', expiry: 'expiry', cvc: 'cvc' },
  card: { number: 'cardnumber', expiry: 'exp-date', cvc: 'cvc' },
  cardNumber: { number: 'cardnumber' },
  cardExpiry: { expiry: 'exp-date' },
  cardCvc: { cvc: 'cvc' },
};
const texts = {
  number: { label: 'Card number', placeholder: '1234 1234 1234 1234', autocomplete: 'cc-number' },
  expiry: { label: 'Expiration date', placeholder: 'MM / YY', autocomplete: 'cc-exp' },
  cvc: { label: 'Security code', placeholder: 'CVC', autocomplete: 'cc-csc' },
};
const brands = [
  { name: 'visa', label: 'Visa', start: /^4/, lengths: [16] },
  { name: 'mastercard', label: 'Mastercard', start: /^(5[1-5]|2[2-7])/, lengths: [16] },
  { name: 'amex', label: 'American Express', start: /^3[47]/, lengths: [15] },
  { name: 'discover', label: 'Discover', start: /^(6011|64[4-9]|65)/, lengths: [16] },
  { name: 'diners', label: 'Diners Club', start: /^3(0|[68-9])/, lengths: [14, 16] },
  { name: 'jcb', label: 'JCB', start: /^35/, lengths: [16] },
  { name: 'unionpay', label: 'UnionPay', start: /^(62|81)/, lengths: [16, 19] },
];
const noBrand = { name: 'unknown', label: '', lengths: [16] };

const digitsOf = (text) => text.replace(/\D/g, '');
const brandOf = (digits) => brands.find((brand) => brand.start.test(digits)) ?? noBrand;
const brand = () => brandOf(digitsOf(fields.get('number')?.input.value ?? ''));

function passesLuhn(digits) {
  let sum = 0;
  [...digits].reverse().forEach((digit, i) => {
    const n = Number(digit) * (i % 2 + 1);
    sum += n > 9 ? n - 9 : n;
  });
  return sum % 10 === 0;
}

const formats = {
  number(digits) {
    const { lengths, name } = brandOf(digits);
    digits = digits.slice(0, Math.max(...lengths));
    const groups = name === 'amex' ? /^(\d{4})(\d{1,6})?(\d{1,5})?/ : /(\d{1,4})(\d{1,4})?(\d{1,4})?(\d{1,4})?(\d{1,3})?/;
    return (digits.match(groups) ?? [digits, digits]).slice(1).filter(Boolean).join(' ') || digits;
  },
  expiry(digits) {
    if (/^[2-9]/.test(digits)) digits = `0${digits}`;
    return digits.length > 2 ? `${digits.slice(0, 2)} / ${digits.slice(2, 4)}` : digits;
  },
  cvc: (digits) => digits.slice(0, 4),
};

// What is wrong with a field's digits, by the codes and messages of Stripe.js.
const checks = {
  number(digits) {
    if (!brandOf(digits).lengths.includes(digits.length)) return ['incomplete_number', 'Your card number is incomplete.'];
    return passesLuhn(digits) ? null : ['invalid_number', 'Your card number is invalid.'];
  },
  expiry(digits) {
    const month = Number(digits.slice(0, 2));
    if (digits.length < 4 || month < 1 || month > 12) return ['incomplete_expiry', 'Your card’s expiration date is incomplete.'];
    const ends = new Date(2000 + Number(digits.slice(2)), month);
    return ends > new Date() ? null : ['invalid_expiry_year_past', 'Your card’s expiration year is in the past.'];
  },
  cvc(digits) {
    const enough = digits.length === 4 || digits.length === 3 && brand().name !== 'amex';
    return enough ? null : ['incomplete_cvc', 'Your card’s security code is incomplete.'];
  },
};

function element(tag, properties, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

function addField(name, inputName) {
  const { label, placeholder, autocomplete } = texts[name];
  const input = element('input', {
    id: name, name: inputName, type: 'text', inputMode: 'numeric', autocomplete,
    placeholder,
  });
  const message = element('p', { className: 'error', id: `${name}-error`, role: 'alert' });
  const badge = element('span', { className: 'brand', ariaHidden: 'true' });
  const box = element('div', { className: `field ${name}` },
    element('label', { htmlFor: name, textContent: label }), element('div', { className: 'input' }, input, name === 'number' ? badge : ''), message);
  const field = { name, input, message, badge, box, left: false };
  fields.set(name, field);
  input.addEventListener('input', () => type(field));
  input.addEventListener('focus', () => tell('focus'));
  input.addEventListener('blur', () => { field.left = true; show(); tell('blur'); });
  input.addEventListener('keydown', (event) => { if (event.key === 'Escape') tell('escape'); });
  form.append(box);
}

// Formats a field while it is typed. The caret stays behind the same digit.
function type(field) {
  const { input } = field;
  const before = digitsOf(input.value.slice(0, input.selectionStart)).length;
  const atEnd = input.selectionStart === input.value.length;
  input.value = formats[field.name](digitsOf(input.value));
  if (!atEnd) {
    let at = 0;
    for (let seen = 0; seen < before && at < input.value.length; at++) if (/\d/.test(input.value[at])) seen++;
    input.setSelectionRange(at, at);
  }
  show();
  const next = [...fields.values()][[...fields.values()].indexOf(field) + 1];
  if (atEnd && settings.type === 'card' && next && isFull(field)) next.input.focus();
}

const isFull = (field) => field.name !== 'cvc' && !problemOf(field);

const problemOf = (field) => checks[field.name](digitsOf(field.input.value));

// A problem is shown once the field was left, and a mistake in a complete number at once.
function shownProblem(field) {
  const problem = problemOf(field);
  const started = field.input.value !== '' && (field.left || problem?.[0].startsWith('invalid'));
  return problem && (field.required || started) ? { type: 'validation_error', code: problem[0], message: problem[1] } : undefined;
}

let shown = '';

function show() {
  for (const field of fields.values()) {
    const problem = shownProblem(field);
    field.input.ariaInvalid = problem ? 'true' : null;
    field.message.textContent = problem?.message ?? '';
    field.input.setAttribute('aria-describedby', field.message.id);
  }
  const number = fields.get('number');
  if (number) number.badge.textContent = brand().label;
  const state = stateOf();
  if (JSON.stringify(state) === shown) return;
  if (shown) tell('change', state);
  shown = JSON.stringify(state);
}

function stateOf() {
  const all = [...fields.values()];
  const state = {
    elementType: settings.type, empty: all.every((field) => field.input.value === ''), complete: all.every((field) => !problemOf(field)),
    error: all.map(shownProblem).find(Boolean),
  };
  if (settings.type === 'payment') return { ...state, error: undefined, collapsed: false, value: { type: 'card' } };
  if (settings.type === 'card') return { ...state, brand: brand().name, value: { postalCode: '' } };
  return settings.type === 'cardNumber' ? { ...state, brand: brand().name } : state;
}

const tell = (event, detail) => port.postMessage({ event, detail });

// Shows every problem, of empty fields too, and returns the first one.
function validate() {
  for (const field of fields.values()) field.required = true;
  show();
  const first = [...fields.values()].find(problemOf);
  first?.input.focus();
  return first && shownProblem(first);
}

// The values of this frame and of the others of its card, as the API names them.
async function cardOf(parts) {
  const values = { ...ownValues() };
  for (const part of parts) {
    const answer = await askOther(part);
    if (answer.error) return { error: answer.error };
    Object.assign(values, answer.values);
  }
  return { values };
}

function ownValues() {
  const digits = (name) => digitsOf(fields.get(name)?.input.value ?? '');
  const values = {};
  if (fields.has('number')) values.number = digits('number');
  if (fields.has('expiry')) Object.assign(values, { exp_month: digits('expiry').slice(0, 2), exp_year: `20${digits('expiry').slice(2)}` });
  if (fields.has('cvc')) values.cvc = digits('cvc');
  return values;
}

// Asks another frame of the same card for its values, within this origin.
function askOther(type) {
  return new Promise((resolve) => {
    const call = Math.random(); // crypto.randomUUID needs a secure context
    others.addEventListener('message', function answered({ data }) {
      if (data.answer !== call) return;
      others.removeEventListener('message', answered);
      resolve(data);
    });
    others.postMessage({ call, type });
  });
}

function answerOther({ data }) {
  if (data.type === settings.type) others.postMessage({ answer: data.call, error: validate(), values: ownValues() });
}

const calls = {
  validate: () => ({ error: validate() }),
  // Creates an object from the entered card and the page's parameters.
  async create({ path, params, parts }) {
    const error = validate();
    const card = error ? { error } : await cardOf(parts);
    if (card.error) return { error: card.error };
    const body = new URLSearchParams(params);
    for (const [name, value] of Object.entries(card.values)) body.set(`card[${name}]`, value);
    const headers = { Authorization: `Bearer ${settings.key}` };
    if (settings.version) headers['Stripe-Version'] = settings.version;
    const response = await fetch(path, { method: 'POST', headers, body });
    return response.json();
  },
  focus: () => fields.values().next().value.input.focus(),
  blur: () => document.activeElement.blur(),
  clear() {
    for (const field of fields.values()) Object.assign(field, { left: false, required: false }).input.value = '';
    show();
  },
  update({ placeholder, disabled, look }) {
    for (const { input } of fields.values()) Object.assign(input, { disabled, placeholder: placeholder ?? input.placeholder });
    for (const [name, value] of Object.entries(look)) document.documentElement.style.setProperty(`--${name}`, value);
  },
};

async function answer({ data: { call, id, detail } }) {
  try {
    port.postMessage({ id, result: await calls[call](detail) ?? {} });
  } catch (error) {
    port.postMessage({ id, result: { error: { type: 'api_connection_error', message: `The local Stripe does not answer: ${error.message}` } } });
  }
}

// The page's Stripe.js sends the settings and a port once this script is loaded.
addEventListener('message', (event) => {
  settings = event.data;
  [port] = event.ports;
  others = new BroadcastChannel(`stripe-elements-${settings.group}`);
  others.addEventListener('message', answerOther);
  form.className = settings.type === 'payment' ? 'stacked' : 'line';
  for (const [name, inputName] of Object.entries(fieldsOf[settings.type])) addField(name, inputName);
  if (settings.type === 'payment') form.append(element('p', { className: 'hint', textContent: 'Test cards only, such as 4242\u00a04242\u00a04242\u00a04242.' }));
  calls.update(settings.options);
  form.addEventListener('submit', (submission) => submission.preventDefault());
  port.addEventListener('message', answer);
  port.start();
  show();
  new ResizeObserver(() => tell('height', document.documentElement.getBoundingClientRect().height)).observe(document.documentElement);
  tell('ready');
}, { once: true });
