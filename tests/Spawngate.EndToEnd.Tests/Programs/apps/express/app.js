const express = require('express')
const app = express()
const port = 3000

app.get('/', (req, res) => {
  res.send('Hello World!')
})

app.post('/echo', express.text({ type: '*/*' }), (req, res) => {
  res.send(req.body)
})

app.get('/rows', (req, res) => {
  let row = 0
  const timer = setInterval(() => {
    res.write(`row ${++row}\n`)
    if (row === 100) {
      clearInterval(timer)
      res.end()
    }
  }, Number(req.query.ms ?? 50))
})

app.listen(port, () => {
  console.log(`Example app listening on port ${port}`)
})
