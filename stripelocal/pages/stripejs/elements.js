// Elements: the fields of a card, each in a frame of the local Stripe.

const optionsOf = {
  payment: ['layout', 'defaultValues', 'fields', 'business', 'terms', 'wallets', 'paymentMethodOrder', 'readOnly'],
  card: ['style', 'classes', 'disabled', 'hidePostalCode', 'hideIcon', 'iconStyle', 'disableLink'],
  cardNumber: ['style', 'classes', 'disabled', 'placeholder', 'showIcon', 'iconStyle', 'disableLink'],
  cardExpiry: ['style', 'classes', 'disabled', 'placeholder'],
  cardCvc: ['style', 'classes', 'disabled', 'placeholder'],
};
const titles = {
  payment: 'Secure payment input frame', card: 'Secure card payment input frame', cardNumber: 'Secure card number input frame',
  cardExpiry: 'Secure expiration date input frame', cardCvc: 'Secure CVC input frame',
};
let frames = 0;

function createFrame(address, title) {
  const frame = Object.assign(document.createElement('iframe'), { src: address, title, name: `__privateStripeFrame${frames++}` });
  frame.style.cssText = 'display: block; width: 100%; border: 0; background: transparent;';
  return frame;
}

function find(target, call) {
  const node = typeof target === 'string' ? document.querySelector(target) : target;
  if (node instanceof Node) return node;
  throw new IntegrationError(`The selector you specified (${target}) applies to no DOM elements that are currently on the page. Make sure the element exists on the page before calling ${call}().`);
}

// The custom properties of element.css by the names of Stripe's appearance and style.
function lookOf(appearance = {}, style = {}) {
  const { colorText, colorTextPlaceholder, colorDanger, colorPrimary, colorBackground, fontFamily, fontSizeBase, borderRadius } = appearance.variables ?? {};
  const { base = {}, invalid = {} } = style;
  const look = {
    color: base.color ?? colorText, placeholder: base['::placeholder']?.color ?? colorTextPlaceholder, danger: invalid.color ?? colorDanger,
    primary: colorPrimary, background: colorBackground, font: base.fontFamily ?? fontFamily, size: base.fontSize ?? fontSizeBase,
    weight: base.fontWeight, radius: borderRadius,
  };
  return Object.fromEntries(Object.entries(look).filter(([, value]) => value !== undefined));
}

// A field or a form of fields in a frame of the local Stripe.
class StripeElement {
  #handlers = [];
  #calls = new Map(); // id to resolve
  #asked = 0;
  #port;

  constructor(elements, type, options) {
    Object.assign(this, { elements, type, options, complete: false });
  }

  mount(target) {
    const parent = find(target, 'mount');
    if (this.frame) this.unmount();
    this.frame = createFrame(`${origin}/v3/element.html`, titles[this.type]);
    Object.assign(this.frame.style, { margin: '-4px', width: 'calc(100% + 8px)', height: '28px' }); // room for the ring of a focused field
    this.ready = new Promise((resolve) => { this.setReady = resolve; });
    this.frame.addEventListener('load', () => this.#connect());
    this.parent = parent;
    parent.replaceChildren(this.frame);
    this.#setClasses({ base: true, empty: true });
    this.#emit('loaderstart', {});
    if (this.type === 'payment') this.#checkIntent();
  }

  // Tells the page if the intent of a Payment Element is not there.
  async #checkIntent() {
    const { api, options: { clientSecret } } = this.elements;
    if (!clientSecret) return;
    const { error } = await resultOf('intent', retrieve(api, kindOf(clientSecret), clientSecret, 'stripe.elements'));
    if (error) this.#emit('loaderror', { error });
  }

  #connect() {
    const { api, group } = this.elements;
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    port1.onmessage = ({ data }) => this.#receive(data);
    this.frame.contentWindow.postMessage({ type: this.type, key: api.key, version: api.version, group, options: this.#frameOptions() }, origin, [port2]);
  }

  #frameOptions() {
    const { placeholder, disabled, readOnly, style } = this.options;
    return { placeholder, disabled: Boolean(disabled || readOnly), look: lookOf(this.elements.options.appearance, style) };
  }

  #receive({ id, result, event, detail = {} }) {
    if (id) {
      this.#calls.get(id)(result);
      this.#calls.delete(id);
      return;
    }
    if (event === 'height') {
      this.frame.style.height = `${Math.ceil(detail)}px`;
      return;
    }
    if (event === 'ready') this.setReady();
    if (event === 'change') {
      this.complete = detail.complete;
      this.#setClasses({ empty: detail.empty, complete: detail.complete, invalid: Boolean(detail.error) });
    }
    if (event === 'focus' || event === 'blur') this.#setClasses({ focus: event === 'focus' });
    this.#emit(event, detail);
  }

  #setClasses(states) {
    const { classes } = this.options;
    for (const [state, on] of Object.entries(states)) {
      this.parent.classList.toggle(classes?.[state] ?? (state === 'base' ? 'StripeElement' : `StripeElement--${state}`), on);
    }
  }

  #emit(event, detail) {
    for (const handler of [...this.#handlers]) if (handler.event === event) handler.call({ elementType: this.type, ...detail });
  }

  on(event, call) {
    this.#handlers.push({ event, call });
    return this;
  }

  once(event, call) {
    const handler = { event, call: (detail) => { this.#remove(handler); call(detail); } };
    this.#handlers.push(handler);
    return this;
  }

  off(event, call) {
    this.#handlers.filter((handler) => handler.event === event && (!call || handler.call === call)).forEach((handler) => this.#remove(handler));
    return this;
  }

  #remove(handler) {
    this.#handlers = this.#handlers.filter((other) => other !== handler);
  }

  // Asks the script of the frame.
  async ask(call, detail) {
    if (!this.frame?.isConnected) throw new IntegrationError('We could not retrieve data from the specified Element. Please make sure the Element you are attempting to use is still mounted.');
    await this.ready;
    const id = ++this.#asked;
    const result = new Promise((resolve) => { this.#calls.set(id, resolve); });
    this.#port.postMessage({ call, id, detail });
    return valueOf(await result);
  }

  // Creates an object of the API from the entered card.
  create(path, params) {
    const parts = this.type === 'cardNumber' ? ['cardExpiry', 'cardCvc'].filter((type) => this.elements.getElement(type)) : [];
    return this.ask('create', { path: `/v1/${path}`, params: String(encode(params)), parts });
  }

  update(options) {
    allowOnly('element.update()', options, optionsOf[this.type]);
    Object.assign(this.options, options);
    if (this.frame) this.ask('update', this.#frameOptions());
  }

  focus() { this.ask('focus'); }

  blur() { this.ask('blur'); }

  clear() { this.ask('clear'); }

  unmount() {
    this.frame?.remove();
    this.frame = undefined;
  }

  destroy() {
    this.unmount();
    this.elements.forget(this);
  }
}

// A group of elements of one payment or setup.
class Elements {
  #created = [];

  constructor(api, options) {
    allowOnly('stripe.elements()', options, [
      'clientSecret', 'mode', 'amount', 'currency', 'setupFutureUsage', 'captureMethod', 'paymentMethodTypes', 'paymentMethodCreation',
      'appearance', 'locale', 'fonts', 'loader',
    ]);
    Object.assign(this, { api, options, group: `${Date.now()}-${Math.random()}`, submitted: false });
  }

  create(type, options = {}) {
    if (!optionsOf[type]) throw unsupported(`elements.create('${type}')`);
    allowOnly(`elements.create('${type}')`, options, optionsOf[type]);
    if (this.getElement(type)) throw new IntegrationError(`Can only create one Element of type ${type} through one elements instance.`);
    if (type === 'payment' && !this.options.clientSecret && !this.options.mode) {
      throw new IntegrationError('In order to create a payment element, you must pass a clientSecret or mode when creating the Elements group.');
    }
    const element = new StripeElement(this, type, { ...options });
    this.#created.push(element);
    return element;
  }

  getElement(type) { return this.#created.find((element) => element.type === type) ?? null; }

  forget(element) { this.#created = this.#created.filter((other) => other !== element); }

  async update(options) {
    Object.assign(this.options, options);
    for (const element of this.#created) element.update({});
  }

  async fetchUpdates() { return {}; }

  async submit() {
    const { error } = await resultOf('result', this.paymentElement('elements.submit').ask('validate'));
    this.submitted = !error;
    return error ? { error } : { selectedPaymentMethod: 'card' };
  }

  paymentElement(call) {
    const element = this.getElement('payment');
    if (!element?.frame) throw new IntegrationError(`Invalid value for ${call}(): elements should have a mounted Payment Element.`);
    return element;
  }
}
