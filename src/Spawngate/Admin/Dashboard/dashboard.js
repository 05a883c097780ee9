'use strict';
(() => {
  const SAMPLES = 60, LOG_LINES = 400, RETRY_MS = 1000, RETRY_MAX_MS = 10000;
  const $ = id => document.getElementById(id);
  const backends = new Map();
  let token = sessionStorage.getItem('token') || '', instance = null, skew = 0, retryMs = RETRY_MS, order = [];

  const make = (tag, cls, text) => {
    const e = document.createElement(tag);
    if (cls) e.className = cls;
    if (text !== undefined) e.textContent = text;
    return e;
  };
  const put = (e, text) => { if (e.textContent !== text) e.textContent = text; };
  const ms = n => n == null ? '' : n >= 10000 ? (n / 1000).toFixed(0) + ' s' : n >= 1000 ? (n / 1000).toFixed(1) + ' s' : n >= 10 ? n.toFixed(0) + ' ms' : n.toFixed(1) + ' ms';
  const span = s => s < 90 ? Math.floor(s) + ' s' : s < 5400 ? Math.floor(s / 60) + ' min' : s < 172800 ? Math.floor(s / 3600) + ' h' : Math.floor(s / 86400) + ' d';
  const clock = t => t.slice(11, 23);
  const now = () => Date.now() + skew;
  const nameOf = r => r.name ?? r.hostname;
  const path = (host, leaf) => '/backends/' + encodeURIComponent(host) + (leaf ? '/' + leaf : '');
  const call = (url, options = {}) => fetch(url, { ...options, cache: 'no-store', headers: token ? { Authorization: 'Bearer ' + token } : {} });
  const say = text => put($('said'), text);

  /* One request that answers with a stream of lines; each is given to `take`. */
  async function lines(url, signal, take, opened) {
    const answer = await call(url, { signal });
    if (!answer.ok) throw Object.assign(new Error('HTTP ' + answer.status), { status: answer.status });
    if (opened) opened();
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = ''; ;) {
      const { done, value } = await reader.read();
      if (done) return;
      const parts = (rest + value).split('\n');
      rest = parts.pop();
      parts.forEach(take);
    }
  }

  /* ---- the stream of events ---- */
  async function follow() {
    let event = '', silent;
    const stop = new AbortController();
    const alive = () => { clearTimeout(silent); silent = setTimeout(() => stop.abort(), 15000); };
    try {
      alive();
      await lines('/events', stop.signal, line => {
        alive();
        if (line.startsWith('event:')) event = line.slice(6).trim();
        else if (line.startsWith('data:')) on[event]?.(JSON.parse(line.slice(5)));
      }, () => { $('login').hidden = true; });
      lost('The gateway ended the stream.');
    } catch (e) {
      if (e.status === 401) return ask();
      lost(e.status ? 'The gateway answered ' + e.status + '.' : 'The gateway does not answer.');
    } finally {
      clearTimeout(silent);
    }
    setTimeout(follow, retryMs);
    retryMs = Math.min(retryMs * 2, RETRY_MAX_MS);
  }

  function lost(why) {
    $('link').className = 'lost';
    put($('link'), why + ' Trying again …');
    document.querySelectorAll('.acts button').forEach(b => { b.disabled = true; });
  }

  function ask() {
    $('link').className = 'lost';
    put($('link'), 'Locked');
    put($('refused'), token ? 'That is not the admin token.' : '');
    token = '';
    sessionStorage.removeItem('token');
    $('login').hidden = false;
    $('token').focus();
  }

  const on = {
    hello(data) {
      skew = Date.parse(data.time) - Date.now();
      if (instance !== null && instance !== data.instance) {
        for (const b of [...backends.values()]) drop(b);
        say('The gateway was restarted.');
      }
      instance = data.instance;
      retryMs = RETRY_MS;
      put($('version'), data.version);
      $('link').className = 'live';
      put($('link'), 'Live');
    },
    backends(data) {
      order = data.backends.map(nameOf);
      const known = new Set(order);
      for (const b of [...backends.values()]) if (!known.has(b.host)) drop(b);
      data.backends.forEach(update);
      arrange();
    },
    backend(data) {
      const isNew = !backends.has(nameOf(data));
      if (isNew) order.push(nameOf(data));
      update(data);
      totals();
      if (isNew || $('order').value !== 'file') arrange();
    },
    gone(data) {
      const b = backends.get(nameOf(data));
      if (b) drop(b);
      order = order.filter(host => host !== nameOf(data));
      totals();
    },
    sample(data) {
      const at = Date.parse(data.time);
      skew = at - Date.now();
      for (const s of data.backends) {
        const b = backends.get(nameOf(s));
        if (b) Object.assign(b.report, s);
      }
      for (const b of backends.values()) beat(b, at);
      totals();
    },
    ledger(data) {
      const b = backends.get(nameOf(data));
      if (b?.ledger) { addEntry(b, data.entry); refreshHolders(b); }
    },
  };

  /* ---- one backend ---- */
  function create(report) {
    const b = { host: nameOf(report), report, rates: [], total: report.requests_total, at: now() };
    const card = b.card = make('section', 'backend');
    card.setAttribute('role', 'listitem');
    card.dataset.host = b.host;
    const row = make('div', 'row');
    const head = make('div');
    b.name = make('button', 'name', b.host);
    b.name.setAttribute('aria-expanded', 'false');
    b.name.onclick = () => toggle(b);
    b.what = make('span', 'what');
    head.append(b.name, b.what);
    b.state = make('span', 'state');
    const load = make('div', 'load');
    b.graph = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    b.graph.setAttribute('viewBox', `0 0 ${SAMPLES - 1} 20`);
    b.graph.setAttribute('preserveAspectRatio', 'none');
    b.graph.setAttribute('aria-hidden', 'true');
    b.line = document.createElementNS('http://www.w3.org/2000/svg', 'polyline');
    b.graph.append(b.line);
    b.rate = make('span');
    load.append(b.graph, b.rate);
    b.use = make('span', 'soft use');
    b.life = make('span', 'soft life');
    const bars = make('div', 'bars');
    b.bar = make('div', 'bar');
    b.bar.setAttribute('role', 'img');
    b.parts = ['spawn', 'listen', 'wait'].map(cls => b.bar.appendChild(make('i', cls)));
    b.took = make('span', 'soft');
    bars.append(b.bar, b.took);
    const acts = make('div', 'acts');
    b.acts = {};
    for (const act of ['start', 'stop', 'restart']) {
      const button = b.acts[act] = make('button', '', act[0].toUpperCase() + act.slice(1));
      button.setAttribute('aria-label', act + ' ' + b.host);
      button.onclick = () => command(b, act);
      acts.append(button);
    }
    row.append(head, b.state, load, b.use, b.life, bars, acts);
    card.append(row);
    backends.set(b.host, b);
    return b;
  }

  function update(report) {
    const b = backends.get(nameOf(report)) || create(report);
    b.report = report;
    b.card.className = 'backend ' + report.state;
    b.state.className = 'state ' + report.state;
    put(b.state, report.state);
    const failed = report.last_failure && report.failures_in_a_row > 0;
    b.what.className = failed ? 'what bad' : 'what';
    put(b.what, failed ? report.last_failure : [report.image || '', report.description || '', report.port ? 'port ' + report.port : ''].filter(Boolean).join(' · '));
    const start = report.last_start;
    b.bar.hidden = !start || start.ready_ms == null;
    if (!b.bar.hidden) {
      const steps = [start.spawn_ms ?? 0, start.listen_ms ?? start.spawn_ms ?? 0, start.ready_ms];
      b.parts.forEach((part, i) => { part.style.flexGrow = Math.max(0, steps[i] - (i ? steps[i - 1] : 0)); });
      b.bar.setAttribute('aria-label', `last start: spawned after ${ms(start.spawn_ms)}, listened after ${ms(start.listen_ms)}, ready after ${ms(start.ready_ms)}`);
      b.bar.title = b.bar.getAttribute('aria-label') + (start.cause ? '; woken by ' + start.cause : '');
      put(b.took, 'ready in ' + ms(start.ready_ms));
    } else put(b.took, '');
    b.acts.start.disabled = !!report.session || report.state !== 'stopped';
    b.acts.stop.disabled = report.state === 'stopped' || report.state === 'stopping';
    b.acts.restart.disabled = !!report.session || report.state === 'starting' || report.state === 'stopping';
    describe(b);
  }

  function describe(b) {
    const r = b.report, parts = [];
    if (r.in_flight - r.tunnels > 0) parts.push(r.in_flight - r.tunnels + ' in flight');
    if (r.tunnels) parts.push(r.tunnels + (r.tunnels === 1 ? ' tunnel' : ' tunnels'));
    if (r.waiting) parts.push(r.waiting + ' waiting');
    put(b.use, parts.join(', '));
    const life = [];
    if (r.ready_since) life.push('up ' + span(Math.max(0, (now() - Date.parse(r.ready_since)) / 1000)));
    if (r.idle_stop_in_secs != null) life.push('stops in ' + span(r.idle_stop_in_secs));
    if (r.lease_secs != null) life.push('held by a lease');
    if (r.retry_after_secs) life.push('next try in ' + span(r.retry_after_secs));
    put(b.life, life.join(' · '));
  }

  /* Once a second: the rate since the last time, and what counts by itself. */
  function beat(b, at) {
    const r = b.report, seconds = Math.max(0.2, (at - b.at) / 1000);
    const rate = Math.max(0, r.requests_total - b.total) / seconds;
    b.total = r.requests_total;
    b.at = at;
    if (r.idle_stop_in_secs > 0 && b.idleSeen === r.idle_stop_in_secs) r.idle_stop_in_secs--;
    b.idleSeen = r.idle_stop_in_secs;
    const flat = rate === 0 && !b.rates.some(Boolean);
    b.rates.push(rate);
    if (b.rates.length > SAMPLES) b.rates.shift();
    if (!flat || !b.drawn) {
      b.drawn = true;
      const top = Math.max(1, ...b.rates), from = SAMPLES - b.rates.length;
      b.line.setAttribute('points', b.rates.map((v, i) => `${from + i},${(19 - 18 * v / top).toFixed(1)}`).join(' '));
      put(b.rate, rate ? (rate < 10 ? rate.toFixed(1) : Math.round(rate)) + '/s' : '');
    }
    describe(b);
  }

  function drop(b) {
    close(b);
    b.card.remove();
    backends.delete(b.host);
  }

  async function command(b, act) {
    b.acts[act].disabled = true;
    try {
      const answer = await call(path(b.host, act), { method: 'POST' });
      const body = await answer.json();
      say(answer.ok ? `${b.host}: ${act} accepted` : `${b.host}: ${body.message || answer.status}`);
    } catch {
      say(`${b.host}: the gateway does not answer`);
    }
    /* What has come of it is told by the stream, which may have been faster than this answer. */
    if (backends.get(b.host) === b) update(b.report);
  }

  /* ---- what a backend shows when it is opened ---- */
  async function toggle(b) {
    if (b.more) return close(b);
    b.name.setAttribute('aria-expanded', 'true');
    b.more = make('div', 'more');
    const left = make('div'), right = make('div');
    b.holders = make('ul', 'holders');
    b.ledger = make('ol', 'ledger');
    left.append(make('h2', '', 'What keeps it awake'), b.holders, make('h2', '', 'What happened, latest first'), b.ledger);
    b.log = make('pre', 'log');
    b.log.tabIndex = 0;
    b.log.setAttribute('aria-label', 'log of ' + b.host);
    right.append(make('h2', '', 'What it writes'), b.log);
    b.more.append(left, right);
    b.card.append(b.more);
    tail(b);
    try {
      const report = await (await call(path(b.host))).json();
      if (!b.ledger) return;
      const seen = b.newest || 0;
      report.ledger.forEach(entry => { if (entry.seq > seen) addEntry(b, entry); });
      showHolders(b, report);
    } catch { /* The stream of events tells that the gateway is gone. */ }
  }

  function close(b) {
    b.tail?.abort();
    b.more?.remove();
    b.more = b.ledger = b.holders = b.log = b.tail = b.newest = null;
    b.name.setAttribute('aria-expanded', 'false');
  }

  function words(e) {
    const by = e.by ? ` by ${e.by.method || ''} ${e.by.path || ''} from ${e.by.client || 'somebody'}${e.by.user_agent ? ' (' + e.by.user_agent + ')' : ''}` : '';
    const parts = [e.event.replace('_', ' ')];
    if (e.reason) parts.push(e.event === 'woken' && e.by ? by.trim() : e.reason);
    if (e.ready_ms != null) parts.push(`spawned ${ms(e.spawn_ms)}, listened ${ms(e.listen_ms)}, ready ${ms(e.ready_ms)}`);
    if (e.after_ms != null) parts.push('after ' + ms(e.after_ms));
    if (e.requests) parts.push(e.requests + (e.requests === 1 ? ' request' : ' requests'));
    if (e.exit) parts.push(e.exit.signal != null ? 'signal ' + e.exit.signal : e.exit.status != null ? 'exit status ' + e.exit.status : 'ended');
    if (e.holders?.length) parts.push('held by ' + e.holders.join(', '));
    if (e.output?.length) parts.push(e.output.map((l) => l.stream + ': ' + l.line).join(' ⏎ '));
    return parts.join(' · ');
  }

  function addEntry(b, entry) {
    const old = b.ledger.querySelector(`[data-seq="${Number(entry.seq)}"]`);
    const item = make('li', ['crashed', 'start_failed', 'unhealthy', 'cut'].includes(entry.event) ? 'bad' : '');
    item.dataset.seq = entry.seq;
    item.dataset.event = entry.event;
    const time = make('time', '', clock(entry.time));
    time.dateTime = entry.time;
    item.append(time, words(entry));
    if (old) old.replaceWith(item);
    else {
      const below = [...b.ledger.children].find(each => Number(each.dataset.seq) < entry.seq);
      b.ledger.insertBefore(item, below || null);
    }
    while (b.ledger.childElementCount > 100) b.ledger.lastChild.remove();
    b.newest = Math.max(b.newest || 0, entry.seq);
  }

  async function refreshHolders(b) {
    try { showHolders(b, await (await call(path(b.host))).json()); } catch { /* as above */ }
  }

  function showHolders(b, report) {
    if (!b.holders) return;
    const items = (report.held_by || []).map(h => make('li', '', `${h.kind}: ${h.method} ${h.path} from ${h.client}, ${span(h.age_secs)}${h.no_wake ? ' (does not count: no_wake)' : h.passive ? ` (does not count: quiet for ${span(h.quiet_secs)})` : ''}`));
    if (report.lease_secs != null) items.unshift(make('li', '', `lease: ${span(report.lease_secs)} more, by its own word`));
    b.holders.replaceChildren(...(items.length ? items : [make('li', 'soft', report.state === 'ready' ? 'Nothing.' : 'It does not run.')]));
    const away = report.turned_away_total;
    if (away) b.holders.append(make('li', 'soft away', `${away} ${away === 1 ? 'request was' : 'requests were'} turned away: they never wake it.`));
  }

  async function tail(b) {
    const stop = b.tail = new AbortController();
    const log = b.log;
    for (; b.tail === stop;) {
      try {
        log.textContent = '';
        await lines(path(b.host, 'logs') + '?follow=1&format=json', stop.signal, line => {
          if (!line) return;
          const { time, stream, text } = JSON.parse(line);
          const end = log.scrollTop + log.clientHeight >= log.scrollHeight - 4;
          log.append(make('span', stream, clock(time) + ' ' + text + '\n'));
          while (log.childElementCount > LOG_LINES) log.firstChild.remove();
          if (end) log.scrollTop = log.scrollHeight;
        });
      } catch (e) {
        if (e.status) { log.textContent = 'The log cannot be followed: HTTP ' + e.status; return; }
      }
      await new Promise(next => setTimeout(next, RETRY_MS));
    }
  }

  /* ---- the whole list ---- */
  const RANK = { unhealthy: 0, starting: 1, stopping: 2, ready: 3, stopped: 4 };
  function arrange() {
    const wanted = $('filter').value.trim().toLowerCase();
    const by = $('order').value;
    const list = order.map(host => backends.get(host)).filter(Boolean);
    if (by === 'busy') list.sort((x, y) => (y.rates.at(-1) || 0) - (x.rates.at(-1) || 0) || y.report.in_flight - x.report.in_flight);
    if (by === 'state') list.sort((x, y) => RANK[x.report.state] - RANK[y.report.state]);
    const main = $('list');
    let next = main.firstElementChild;
    for (const b of list) {
      b.card.hidden = !!wanted && !b.host.includes(wanted) && b.report.state !== wanted;
      if (b.card === next) next = next.nextElementSibling;
      else main.insertBefore(b.card, next);
    }
    totals();
  }

  function totals() {
    const count = {};
    let rate = 0;
    for (const b of backends.values()) {
      count[b.report.state] = (count[b.report.state] || 0) + 1;
      rate += b.rates.at(-1) || 0;
    }
    const states = Object.keys(RANK).filter(s => count[s]).map(s => count[s] + ' ' + s).join(', ');
    put($('totals'), `${backends.size} backends${states ? ': ' + states : ''} · ${rate < 10 ? rate.toFixed(1) : Math.round(rate)} requests/s`);
  }

  $('filter').oninput = arrange;
  $('order').onchange = arrange;
  $('login').onsubmit = event => {
    event.preventDefault();
    token = $('token').value;
    sessionStorage.setItem('token', token);
    $('token').value = '';
    put($('link'), 'Connecting …');
    follow();
  };
  addEventListener('keydown', event => {
    const typing = /INPUT|SELECT|TEXTAREA/.test(document.activeElement?.tagName);
    if (event.key === '/' && !typing) { event.preventDefault(); $('filter').focus(); }
    if (event.key === 'Escape' && document.activeElement === $('filter')) { $('filter').value = ''; arrange(); $('filter').blur(); }
    if (!typing && (event.key === 'j' || event.key === 'k')) {
      const names = [...document.querySelectorAll('.backend:not([hidden]) .name')];
      const at = names.indexOf(document.activeElement);
      names[Math.min(names.length - 1, Math.max(0, at + (event.key === 'j' ? 1 : -1)))]?.focus();
    }
  });
  follow();
})();
