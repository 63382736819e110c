import { randomUUID } from 'node:crypto';
import express from 'express';
import Joi from 'joi';

const HOST = '127.0.0.1';
const PORT = Number(process.env.PORT ?? 3000);

const id = Joi.string().uuid();
// Joi refuses an empty string unless told; the page gives 0 as the lower bound.
const text = Joi.string().allow('');
const timestamp = Joi.date().iso();

const appointmentSchema = Joi.object({
  EncounterTypeId: id,
  EncounterTypeModeDurationId: id,
  ProviderId: id,
  UserId: id.required(),
  PatientId: id,
  SpecialityId: id,
  AppointmentOn: timestamp.required(),
  SecondaryAppointmentOn: timestamp,
  Reason: text.max(250).required(),
  Note: text.max(1000),
  ParentId: id,
  ReferredParentId: id,
  PaidAmount: Joi.number(),
  AccountId: id.required(),
  ServiceId: id,
  MethodId: Joi.number().integer(),
  IsCustomFormFlow: text,
  DocIds: text,
  Reasons: Joi.array().items(Joi.object({ ReasonId: id.required() })),
})
  .required()
  .label('body');

function validate(schema) {
  return (req, res, next) => {
    // convert and unknown stay at Joi's defaults: "5" is a number, unknown keys are errors
    const { value, error } = schema.validate(req.body, { abortEarly: false });
    if (error) {
      res.status(400).json({
        message: 'Validation failed',
        details: error.details.map(({ message, path, type }) => ({ message, path, type })),
      });
      return;
    }
    res.locals.body = value;
    next();
  };
}

const app = express();
app.disable('x-powered-by');

app.use(express.json({ type: ['application/json', 'text/json'] }));
// extended, so that a form can carry the collection as Reasons[0][ReasonId]
app.use(express.urlencoded({ extended: true }));

app.post('/api/Calendar/PatientAppointmentPost_v2', validate(appointmentSchema), (req, res) => {
  // The page does not describe the response body: an id and what was booked.
  const { UserId, AccountId, AppointmentOn } = res.locals.body;
  res.json({ Id: randomUUID(), UserId, AccountId, AppointmentOn });
});

app.use((req, res) => {
  res.status(404).json({ message: 'Not found' });
});

// Malformed JSON and bodies over the limit arrive here from the body parsers.
app.use((err, req, res, next) => {
  if (res.headersSent) {
    next(err);
    return;
  }
  const status = err.status ?? 500;
  if (status >= 500) console.error(err);
  res.status(status).json({ message: err.expose ? err.message : 'Internal server error' });
});

app.listen(PORT, HOST, (err) => {
  if (err) throw err;
  console.log(`listening on http://${HOST}:${PORT}`);
});
