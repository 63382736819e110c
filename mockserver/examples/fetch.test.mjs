// Tests of a client without a browser: node --test fetch.test.mjs, while a mock listens at MOCK.
import assert from 'node:assert/strict';
import {randomUUID} from 'node:crypto';
import {test} from 'node:test';
import {Mock} from './mock.mjs';

const url = process.env.MOCK ?? 'http://127.0.0.1:4747';
const endpoint = `${url}/api/Calendar/PatientAppointmentPost_v2`;
const booking = {
  UserId: '84ef7a81-c643-4b8e-85e5-1ff52fc35f3d', AppointmentOn: '2026-02-03T21:04:03Z', Reason: 'Check-up',
  AccountId: '3faed728-f67f-4bc0-888f-a8410d31c7df',
};

// book is the client under test: it tries again when the server is busy.
async function book(body, session, attempts = 3) {
  for (let n = 1; ; n++) {
    const response = await fetch(endpoint, {
      method: 'POST', body: JSON.stringify(body),
      headers: {'Content-Type': 'application/json', 'X-Understudy-Session': session},
    });
    if (response.status !== 503 || n === attempts) return response;
  }
}

test('a booking that the server accepts', async () => {
  const mock = new Mock(url, randomUUID());
  assert.equal((await book(booking, mock.session)).status, 200);
  const [request] = await mock.requests({outcome: 'accepted'});
  assert.deepEqual(JSON.parse(request.request.body), booking);
});

test('a booking without a reason says which rule of the page it breaks', async () => {
  const mock = new Mock(url, randomUUID());
  const {Reason, ...rest} = booking;
  const response = await book(rest, mock.session);
  assert.equal(response.status, 400);
  assert.deepEqual((await response.json()).ModelState, {'model.Reason': ['The Reason field is required.']});
  const [request] = await mock.requests({rule: 'Reason/required'});
  assert.equal(request.violations[0].line, 33);
});

test('a server that is busy twice is asked a third time', async () => {
  const mock = new Mock(url, randomUUID());
  await mock.next({status: 503, times: 2});
  assert.equal((await book(booking, mock.session)).status, 200);
  assert.equal((await mock.requests({atLeast: '3'})).length, 3);
});
