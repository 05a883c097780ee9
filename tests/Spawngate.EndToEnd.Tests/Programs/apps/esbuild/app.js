console.log('Hello from a bundle')
