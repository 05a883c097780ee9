'use strict';
(() => {
  const body = document.body, $ = id => document.getElementById(id);
  const put = (id, text) => { if ($(id).textContent !== text) $(id).textContent = text; };
  const here = location.origin + location.pathname + location.search;
  let began = performance.now() - Number(body.dataset.ms);
  const count = () => put('elapsed', Math.floor((performance.now() - began) / 1000) + ' s');

  function show(now) {
    body.className = now.state;
    document.title = now.title;
    put('title', now.title);
    put('message', now.message);
    put('line', now.line);
    $('steps').dataset.step = now.step;
    began = performance.now() - now.elapsed_ms;
  }

  /* Only the gateway answers this, at once or within a second: never the application. */
  async function ask() {
    try {
      const answer = await fetch(here, { headers: { 'X-Spawngate-Waiting': body.dataset.start }, cache: 'no-store', redirect: 'manual' });
      if (!answer.headers.has('X-Spawngate-Waiting')) return location.reload();
      const now = await answer.json();
      if (now.state === 'ready') return location.reload();
      show(now);
      if (now.state === 'failed') return clearInterval(counting);
    } catch { /* The gateway may be back in a moment. */ }
    setTimeout(ask, 250);
  }

  if (body.className !== 'starting') return;
  const counting = setInterval(count, 200);
  count();
  ask();
})();
