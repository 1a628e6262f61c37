// The stand-in for Stripe.js that the local Stripe serves: the part of Stripe's script that takes
// card payments, for pages in development and tests. What it does not support throws an
// IntegrationError that names it. docs/local-stripe.md tells more.
(() => {
  'use strict';

  const script = document.currentScript;
  if (!script) throw new Error('Load the local Stripe.js with a <script> element: it finds the local Stripe by its address.');
  const { origin, pathname } = new URL(script.src);
  const release = pathname.split('/')[1]; // v3, acacia, basil, …

  // The API version of each release. v3 has the account's.
  const apiVersions = {
    acacia: '2025-02-24.acacia', basil: '2025-08-27.basil', clover: '2026-02-25.clover', dahlia: '2026-08-26.dahlia', endive: '2026-10-28.endive',
  };
  const releases = ['v3', ...Object.keys(apiVersions)];
  const isSince = (name) => releases.indexOf(release) >= releases.indexOf(name);

  // A mistake of the page, which is thrown. What a person can correct is returned as {error}.
  class IntegrationError extends Error {
    name = 'IntegrationError';
  }

  const unsupported = (what) => new IntegrationError(`This local Stripe does not support ${what}.`);

  function allowOnly(where, options, names) {
    const other = Object.keys(options ?? {}).find((name) => options[name] !== undefined && !names.includes(name));
    if (other) throw unsupported(`the option ${other} of ${where}`);
  }

  // A refusal of the API or of a field.
  class Refusal extends Error {
    constructor(error) {
      super(error.message);
      this.error = error;
    }
  }

  // Resolves with the value under a name, or with {error}.
  async function resultOf(name, value) {
    try {
      return { [name]: await value };
    } catch (error) {
      if (error instanceof Refusal) return { error: error.error };
      throw error;
    }
  }

  function valueOf(answer) {
    if (answer.error) throw new Refusal(answer.error);
    return answer;
  }

  // Encodes parameters as the API takes them: card[number]=…
  function encode(params, form = new URLSearchParams(), path = '') {
    for (const [name, value] of Object.entries(params)) {
      const at = path ? `${path}[${name}]` : name;
      if (value !== null && typeof value === 'object') encode(value, form, at);
      else if (value !== null && value !== undefined) form.append(at, value);
    }
    return form;
  }

  class API {
    constructor(key, version) {
      Object.assign(this, { key, version });
    }

    async call(method, path, params) {
      const form = encode(params);
      const headers = { Authorization: `Bearer ${this.key}` };
      if (this.version) headers['Stripe-Version'] = this.version;
      const address = `${origin}/v1/${path}`;
      try {
        const response = method === 'GET' ? await fetch(`${address}?${form}`, { headers }) : await fetch(address, { method, headers, body: form });
        return valueOf(await response.json());
      } catch (error) {
        if (error instanceof Refusal) throw error;
        throw new Refusal({ type: 'api_connection_error', message: `The local Stripe does not answer: ${error.message}` });
      }
    }
  }

  // Elements

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
      const id = crypto.randomUUID();
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
      allowOnly(`element.update()`, options, optionsOf[this.type]);
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
      Object.assign(this, { api, options, group: crypto.randomUUID(), submitted: false });
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

  // Payments and setups

  const payment = { object: 'payment_intent', path: 'payment_intents', result: 'paymentIntent' };
  const setup = { object: 'setup_intent', path: 'setup_intents', result: 'setupIntent' };

  function pathOf(kind, secret, call) {
    if (!/^(pi|seti)_\w+_secret_\w+$/.test(secret)) {
      throw new IntegrationError(`Invalid value for ${call} intent secret: value should be a client secret of the form \${id}_secret_\${secret}. You specified: ${secret}.`);
    }
    return `${kind.path}/${secret.split('_secret_')[0]}`;
  }

  const retrieve = (api, kind, secret, call) => api.call('GET', pathOf(kind, secret, call), { client_secret: secret });

  // Shows the page that stands in for the bank's 3-D Secure page, until it has been answered.
  function authenticate(page, retrieveIntent) {
    const dialog = document.createElement('dialog');
    const frame = createFrame(`${page}?framed`, '3D Secure authentication');
    dialog.style.cssText = 'width: min(37.5rem, calc(100vw - 2rem)); max-width: none; padding: 0; border: 0; border-radius: 12px; overflow: hidden;';
    Object.assign(frame.style, { height: window.innerWidth < 480 ? '24rem' : '18rem', maxHeight: '80vh' });
    dialog.append(frame);
    dialog.addEventListener('cancel', (event) => event.preventDefault());
    const answered = new Promise((resolve, reject) => {
      frame.addEventListener('load', async () => {
        try {
          const intent = await retrieveIntent();
          if (intent.status !== 'requires_action') resolve(intent);
        } catch (error) {
          reject(error);
        }
      });
    });
    document.body.append(dialog);
    dialog.showModal();
    return answered.finally(() => dialog.remove());
  }

  const never = new Promise(() => {});

  function goTo(address) {
    window.location.assign(address);
    return never;
  }

  // Carries out what an intent requires and returns the intent after it.
  async function handleAction(api, kind, intent) {
    if (intent.status !== 'requires_action') return intent;
    const action = intent.next_action;
    if (action.type === 'redirect_to_url') return goTo(action.redirect_to_url.url);
    if (action.type !== 'use_stripe_sdk') throw unsupported(`the next action ${action.type}`);
    const after = await authenticate(action.use_stripe_sdk.stripe_js, () => retrieve(api, kind, intent.client_secret));
    const error = after.last_payment_error ?? after.last_setup_error;
    if (error) throw new Refusal({ ...error, [kind.object]: after });
    return after;
  }

  async function confirmIntent(api, kind, secret, params, handleActions = true) {
    const intent = await api.call('POST', `${pathOf(kind, secret)}/confirm`, { ...params, client_secret: secret, use_stripe_sdk: true });
    return handleActions ? handleAction(api, kind, intent) : intent;
  }

  // The id of the payment method of confirmCardPayment() and confirmCardSetup(), if there is one.
  async function cardMethod(api, data) {
    if (data === undefined || typeof data === 'string') return data;
    return (await createCardMethod(api, { type: 'card', ...data })).id;
  }

  function createCardMethod(api, { card, ...params }) {
    if (card instanceof StripeElement) return card.create('payment_methods', params);
    return api.call('POST', 'payment_methods', { card, ...params });
  }

  function elementMethod(element, data = {}) {
    const billing = { ...element.options.defaultValues?.billingDetails, ...data.billing_details };
    return element.create('payment_methods', { ...data, type: 'card', billing_details: billing });
  }

  async function confirmCard(api, kind, call, secret, { payment_method: method, ...params } = {}, { handleActions = true } = {}) {
    pathOf(kind, secret, call);
    return resultOf(kind.result, (async () => confirmIntent(api, kind, secret, { ...params, payment_method: await cardMethod(api, method) }, handleActions))());
  }

  // confirmPayment() and confirmSetup()
  async function confirmElements(api, kind, call, options) {
    allowOnly(`${call}()`, options, ['elements', 'clientSecret', 'confirmParams', 'redirect']);
    const { elements, confirmParams = {}, redirect = 'always' } = options;
    const secret = options.clientSecret ?? elements?.options.clientSecret;
    if (!secret) throw new IntegrationError(`You must pass in a clientSecret when calling ${call}().`);
    pathOf(kind, secret, call);
    if (redirect === 'always' && !confirmParams.return_url) throw new IntegrationError(`${call}(): the \`confirmParams.return_url\` argument is required unless \`redirect\` is 'if_required'.`);
    const element = elements?.paymentElement(call);
    if (elements?.options.mode && !elements.submitted) throw new IntegrationError(`elements.submit() must be called before ${call}().`);
    const { payment_method_data: data, ...params } = confirmParams;
    const result = await resultOf(kind.result, (async () => {
      if (element) params.payment_method = (await elementMethod(element, data)).id;
      return confirmIntent(api, kind, secret, params);
    })());
    if (result.error || redirect !== 'always') return result;
    const address = new URL(confirmParams.return_url, window.location.href);
    address.searchParams.set(kind.object, result[kind.result].id);
    address.searchParams.set(`${kind.object}_client_secret`, secret);
    address.searchParams.set('redirect_status', 'succeeded');
    return goTo(address);
  }

  class StripeInstance {
    #api;

    constructor(key, options) {
      this.#api = new API(key, options.apiVersion ?? apiVersions[release]);
    }

    elements(options = {}) { return new Elements(this.#api, { ...options }); }

    confirmPayment(options) { return confirmElements(this.#api, payment, 'stripe.confirmPayment', options); }

    confirmSetup(options) { return confirmElements(this.#api, setup, 'stripe.confirmSetup', options); }

    confirmCardPayment(secret, data, options) { return confirmCard(this.#api, payment, 'stripe.confirmCardPayment', secret, data, options); }

    confirmCardSetup(secret, data, options) { return confirmCard(this.#api, setup, 'stripe.confirmCardSetup', secret, data, options); }

    retrievePaymentIntent(secret) { return resultOf(payment.result, retrieve(this.#api, payment, secret, 'stripe.retrievePaymentIntent')); }

    retrieveSetupIntent(secret) { return resultOf(setup.result, retrieve(this.#api, setup, secret, 'stripe.retrieveSetupIntent')); }

    handleCardAction(secret) { return this.#handleAction(payment, secret, 'stripe.handleCardAction'); }

    handleNextAction({ clientSecret }) {
      return this.#handleAction(String(clientSecret).startsWith('seti_') ? setup : payment, clientSecret, 'stripe.handleNextAction');
    }

    #handleAction(kind, secret, call) {
      return resultOf(kind.result, (async () => handleAction(this.#api, kind, await retrieve(this.#api, kind, secret, call)))());
    }

    async createPaymentMethod(options) {
      const { elements, params, type, ...rest } = options;
      if (elements) return resultOf('paymentMethod', elementMethod(elements.paymentElement('stripe.createPaymentMethod'), params));
      if (type !== 'card') throw unsupported(`stripe.createPaymentMethod() of the type ${type}`);
      return resultOf('paymentMethod', createCardMethod(this.#api, { type, ...rest }));
    }

    async createToken(element, data = {}) {
      if (!(element instanceof StripeElement)) throw unsupported(`stripe.createToken('${element}')`);
      return resultOf('token', element.create('tokens', { card: data }));
    }

    async redirectToCheckout(options) {
      if (isSince('clover')) throw new IntegrationError('stripe.redirectToCheckout() was removed with clover. Redirect to the url of the Checkout Session.');
      allowOnly('stripe.redirectToCheckout()', options, ['sessionId']);
      return goTo(`${origin}/c/pay/${options.sessionId}`);
    }
  }

  // The other documented methods. A call names the method instead of being a TypeError.
  const others = [
    'collectBankAccountForPayment', 'collectBankAccountForSetup', 'collectBankAccountToken', 'collectFinancialConnectionsAccounts',
    'confirmAcssDebitPayment', 'confirmAcssDebitSetup', 'confirmAffirmPayment', 'confirmAfterpayClearpayPayment', 'confirmAlipayPayment',
    'confirmAuBecsDebitPayment', 'confirmAuBecsDebitSetup', 'confirmBacsDebitSetup', 'confirmBancontactPayment', 'confirmBancontactSetup',
    'confirmBlikPayment', 'confirmBoletoPayment', 'confirmBoletoSetup', 'confirmCashappPayment', 'confirmCashappSetup',
    'confirmCustomerBalancePayment', 'confirmEpsPayment', 'confirmFpxPayment', 'confirmGiropayPayment', 'confirmGrabPayPayment',
    'confirmIdealPayment', 'confirmIdealSetup', 'confirmKlarnaPayment', 'confirmKonbiniPayment', 'confirmMobilepayPayment',
    'confirmMultibancoPayment', 'confirmOxxoPayment', 'confirmP24Payment', 'confirmPayPalPayment', 'confirmPayPalSetup',
    'confirmPayNowPayment', 'confirmPixPayment', 'confirmPromptPayPayment', 'confirmSepaDebitPayment', 'confirmSepaDebitSetup',
    'confirmSofortPayment', 'confirmSofortSetup', 'confirmTwintPayment', 'confirmUsBankAccountPayment', 'confirmUsBankAccountSetup',
    'confirmWechatPayPayment', 'confirmPaymentIntent', 'confirmSetupIntent', 'createConfirmationToken', 'createEphemeralKeyNonce',
    'createEmbeddedCheckoutPage', 'createRadarSession', 'createSource', 'handleCardPayment', 'handleCardSetup', 'handleFpxPayment',
    'initCheckout', 'initCheckoutElementsSdk', 'initEmbeddedCheckout', 'paymentRequest', 'processOrder', 'retrieveOrder', 'retrieveSource',
    'verifyIdentity', 'verifyMicrodepositsForPayment', 'verifyMicrodepositsForSetup',
  ];
  for (const name of others) StripeInstance.prototype[name] = () => { throw unsupported(`stripe.${name}()`); };

  window.Stripe = function Stripe(key, options = {}) {
    if (typeof key !== 'string' || !key.startsWith('pk_test_')) {
      throw new IntegrationError(/^[sr]k_/.test(key) ? 'You should not use your secret key with Stripe.js. Please pass a publishable key instead.'
        : 'This local Stripe takes publishable keys that begin with pk_test_.');
    }
    allowOnly('Stripe()', options, ['apiVersion', 'locale', 'betas', 'developerTools', 'advancedFraudSignals']);
    return new StripeInstance(key, options);
  };
  window.Stripe.version = release === 'v3' ? 3 : release;
})();
