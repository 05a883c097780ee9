const { Readable } = require('node:stream')
const { setTimeout } = require('node:timers/promises')
const fastify = require('fastify')({
  logger: true
})

fastify.get('/', function (request, reply) {
  reply.send({ hello: 'world' })
})

fastify.post('/echo', function (request, reply) {
  reply.send(request.body)
})

fastify.get('/rows', function (request, reply) {
  async function * rows () {
    for (let row = 1; row <= 100; row++) {
      yield `row ${row}\n`
      await setTimeout(Number(request.query.ms ?? 50))
    }
  }
  reply.send(Readable.from(rows()))
})

fastify.get('/events', function (request, reply) {
  async function * events () {
    yield 'data: first\n\n'
    await setTimeout(3000)
    yield 'data: last\n\n'
  }
  reply.type('text/event-stream').send(Readable.from(events()))
})

fastify.listen({ port: 3000 }, function (err, address) {
  if (err) {
    fastify.log.error(err)
    process.exit(1)
  }
})
