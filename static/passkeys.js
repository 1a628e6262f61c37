// Runs the ceremonies of passkeys. A form with data-passkey fetches its options, calls the
// authenticator, and is submitted with the response. Without support the form stays hidden.
(() => {
  const decode = (text) => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
  const encode = (buffer) => btoa(Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join(''))
    .replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');

  // The browser's own conversions to and from JSON are newer than passkeys, and missing in some
  // password managers.
  const fromJSON = (options) => {
    options.challenge = decode(options.challenge);
    if (options.user) options.user.id = decode(options.user.id);
    for (const credential of [...options.allowCredentials ?? [], ...options.excludeCredentials ?? []]) {
      credential.id = decode(credential.id);
    }
    return options;
  };

  const toJSON = (credential) => {
    const response = {};
    for (const name of ['clientDataJSON', 'attestationObject', 'authenticatorData', 'signature', 'userHandle']) {
      if (credential.response[name]) response[name] = encode(credential.response[name]);
    }
    response.transports = credential.response.getTransports?.();
    return JSON.stringify({ id: credential.id, rawId: encode(credential.rawId), type: credential.type, response });
  };

  const say = (form, text) => {
    const message = form.querySelector('[data-passkey-message]');
    message.textContent = text;
    message.hidden = !text;
  };

  const run = async (form) => {
    const answer = await fetch(form.dataset.options, { method: 'POST', headers: { Accept: 'application/json' } });
    // Signed out, or not authenticated recently: the page itself leads on.
    if ([401, 403].includes(answer.status)) return location.reload();
    const body = await answer.json();
    if (!answer.ok) return say(form, body.error.message);
    const request = { publicKey: fromJSON(body.publicKey) };
    const credential = form.dataset.passkey === 'create'
      ? await navigator.credentials.create(request)
      : await navigator.credentials.get(request);
    form.elements.response.value = toJSON(credential);
    form.submit();
  };

  for (const form of document.querySelectorAll('form[data-passkey]')) {
    let running = false;
    form.hidden = !window.PublicKeyCredential;
    form.parentElement.querySelector('[data-passkey-unsupported]').hidden = !form.hidden;
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (running) return;
      running = true;
      const button = form.querySelector('button');
      button.setAttribute('aria-busy', 'true');
      say(form, '');
      run(form)
        .catch((error) => {
          const kind = { NotAllowedError: 'canceled', AbortError: 'canceled', InvalidStateError: 'exists' }[error.name];
          say(form, form.dataset[kind] ?? form.dataset.failed);
        })
        .finally(() => {
          running = false;
          button.removeAttribute('aria-busy');
        });
    });
  }
})();
