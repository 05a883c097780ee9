export async function GET(request) {
  const ms = Number(new URL(request.url).searchParams.get('ms') ?? 50)
  let row = 0
  const stream = new ReadableStream({
    async pull(controller) {
      controller.enqueue(`row ${++row}\n`)
      await new Promise(resolve => setTimeout(resolve, ms))
      if (row === 100) {
        controller.close()
      }
    },
  })
  return new Response(stream.pipeThrough(new TextEncoderStream()), { headers: { 'Content-Type': 'text/csv' } })
}
