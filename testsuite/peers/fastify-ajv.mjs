import { randomUUID } from 'node:crypto';
import formbody from '@fastify/formbody';
import Fastify from 'fastify';

const HOST = '127.0.0.1';
const PORT = Number(process.env.PORT ?? 3000);

const id = { type: 'string', format: 'uuid' };
// The type column says "date", but the sample is a timestamp with an offset.
const timestamp = { type: 'string', format: 'date-time' };

const appointment = {
  type: 'object',
  required: ['UserId', 'AppointmentOn', 'Reason', 'AccountId'],
  properties: {
    EncounterTypeId: id,
    EncounterTypeModeDurationId: id,
    ProviderId: id,
    UserId: id,
    PatientId: id,
    SpecialityId: id,
    AppointmentOn: timestamp,
    SecondaryAppointmentOn: timestamp,
    Reason: { type: 'string', minLength: 0, maxLength: 250 },
    Note: { type: 'string', minLength: 0, maxLength: 1000 },
    ParentId: id,
    ReferredParentId: id,
    PaidAmount: { type: 'number' },
    AccountId: id,
    ServiceId: id,
    MethodId: { type: 'integer' },
    IsCustomFormFlow: { type: 'string' },
    DocIds: { type: 'string' },
    Reasons: {
      type: 'array',
      items: {
        type: 'object',
        required: ['ReasonId'],
        properties: { ReasonId: id },
      },
    },
  },
};

// The page does not describe the response body: an id and what was booked.
const booked = {
  type: 'object',
  properties: {
    Id: id,
    UserId: id,
    AccountId: id,
    AppointmentOn: { type: 'string' },
  },
};

// Logging is off by default. Ajv keeps Fastify's defaults, so types are coerced,
// which is also what makes the number fields usable from a form.
const app = Fastify();

await app.register(formbody);

// Fastify knows application/json only; the page lists text/json as well.
app.addContentTypeParser(
  'text/json',
  { parseAs: 'string' },
  app.getDefaultJsonParser('error', 'error'),
);

app.post(
  '/api/Calendar/PatientAppointmentPost_v2',
  { schema: { body: appointment, response: { 200: booked } } },
  async (request) => {
    const { UserId, AccountId, AppointmentOn } = request.body;
    return { Id: randomUUID(), UserId, AccountId, AppointmentOn };
  },
);

await app.listen({ host: HOST, port: PORT });
console.log(`listening on http://${HOST}:${PORT}`);
