document.body.textContent = 'Hello webpack'
