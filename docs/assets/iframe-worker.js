// A browser starts no worker for a page that is opened from disk; the search does its work in a
// hidden frame there.
if (location.protocol === 'file:') {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      const frame = document.createElement('iframe')
      frame.hidden = true
      document.body.append(frame)
      this.frame = frame.contentWindow
      this.frame.document.write(`
        <script>
          postMessage = (data) => parent.postMessage(data, '*')
          importScripts = (...urls) =>
            urls.reduce((before, url) => before.then(() => new Promise((resolve) => {
              const script = document.createElement('script')
              script.src = url
              script.onload = resolve
              document.body.append(script)
            })), Promise.resolve())
        </script>
        <script src="${url}"></script>`)
      this.frame.document.close()
      window.addEventListener('message', (event) => {
        if (event.source !== this.frame) return
        this.dispatchEvent(new MessageEvent('message', { data: event.data }))
        this.onmessage?.(event)
      })
    }

    postMessage(data) {
      this.ready ??= new Promise((resolve) => {
        if (this.frame.document.readyState === 'complete') resolve()
        else this.frame.addEventListener('load', resolve)
      })
      this.ready.then(() => {
        const event = new MessageEvent('message', { data })
        this.frame.dispatchEvent(event)
      })
    }
  }
}
