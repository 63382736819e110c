// What a test asks of a running mock over its admin API. No library is needed.

export class Mock {
  // url is where the mock listens; session keeps this test's requests apart from all others.
  constructor(url, session) {
    this.url = url;
    this.session = session;
  }

  async admin(method, path, body) {
    const response = await fetch(`${this.url}/__admin${path}`, {
      method, body: body && JSON.stringify(body), headers: {'X-Understudy-Session': this.session},
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.errors[0].title);
    return answer;
  }

  // requests are those of the session that match, the newest first. They are waited for, for
  // five seconds, since a page sends them when it likes.
  async requests(filter = {}) {
    const query = new URLSearchParams({session: this.session, wait: '5s', ...filter});
    return (await this.admin('GET', `/requests?${query}`)).requests;
  }

  // next has the next request get a response, such as {status: 503, delay: '1.5s'}.
  next(response) { return this.admin('PUT', '/next', response); }

  // reset forgets what the session left behind.
  reset() { return this.admin('POST', '/reset'); }
}
