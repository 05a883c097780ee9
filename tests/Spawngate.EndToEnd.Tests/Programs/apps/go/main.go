package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"strconv"
	"time"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "Hi there, I love %s!", r.URL.Path[1:])
	})
	http.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(w, r.Body)
	})
	http.HandleFunc("/rows", func(w http.ResponseWriter, r *http.Request) {
		ms, err := strconv.Atoi(r.URL.Query().Get("ms"))
		if err != nil {
			ms = 50
		}
		for row := 1; row <= 100; row++ {
			fmt.Fprintf(w, "row %d\n", row)
			w.(http.Flusher).Flush()
			time.Sleep(time.Duration(ms) * time.Millisecond)
		}
	})
	log.Fatal(http.ListenAndServe(":8080", nil))
}
