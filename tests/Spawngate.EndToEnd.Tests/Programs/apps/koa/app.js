const Koa = require('koa')
const { PassThrough } = require('node:stream')
const app = new Koa()

app.use(async ctx => {
  if (ctx.path === '/') {
    ctx.body = 'Hello World'
  } else if (ctx.path === '/echo') {
    ctx.body = ctx.req.pipe(new PassThrough())
  } else if (ctx.path === '/rows') {
    const body = new PassThrough()
    ctx.body = body
    let row = 0
    const timer = setInterval(() => {
      body.write(`row ${++row}\n`)
      if (row === 100) {
        clearInterval(timer)
        body.end()
      }
    }, Number(ctx.query.ms ?? 50))
  }
})

app.listen(3000)
