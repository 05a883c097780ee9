console.log('Hello Vite!')
