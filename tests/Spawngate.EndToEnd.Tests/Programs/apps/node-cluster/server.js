const cluster = require('node:cluster')
const http = require('node:http')

if (cluster.isPrimary) {
  for (let i = 0; i < 2; i++) {
    cluster.fork()
  }
  return
}

const server = http.createServer((req, res) => {
  const url = new URL(req.url, 'http://localhost')
  if (url.pathname === '/') {
    res.end('Hello, World!\n')
  } else if (url.pathname === '/echo') {
    req.pipe(res)
  } else if (url.pathname === '/rows') {
    let row = 0
    const timer = setInterval(() => {
      res.write(`row ${++row}\n`)
      if (row === 100) {
        clearInterval(timer)
        res.end()
      }
    }, Number(url.searchParams.get('ms') ?? 50))
  } else {
    res.statusCode = 404
    res.end()
  }
})

server.listen(process.env.PORT || 8000)
