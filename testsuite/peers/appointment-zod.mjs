// Schemas and middleware shared by express-zod.mjs and dies.mjs.
import { z } from 'zod';

const id = z.uuid();

// The type column says "date", but the sample is a timestamp with an offset.
const timestamp = z.iso.datetime({ offset: true });

const appointment = z.object({
  EncounterTypeId: id.optional(),
  EncounterTypeModeDurationId: id.optional(),
  ProviderId: id.optional(),
  UserId: id,
  PatientId: id.optional(),
  SpecialityId: id.optional(),
  AppointmentOn: timestamp,
  SecondaryAppointmentOn: timestamp.optional(),
  // "Required" and "between 0 and 250": the key must be there, it may be empty.
  Reason: z.string().max(250),
  Note: z.string().max(1000).optional(),
  ParentId: id.optional(),
  ReferredParentId: id.optional(),
  PaidAmount: z.number().optional(),
  AccountId: id,
  ServiceId: id.optional(),
  MethodId: z.int().optional(),
  IsCustomFormFlow: z.string().optional(),
  DocIds: z.string().optional(),
  Reasons: z.array(z.object({ ReasonId: id })).optional(),
});

// A form carries text only, so only there numbers are read from strings.
const appointmentForm = appointment.extend({
  PaidAmount: z.coerce.number().optional(),
  MethodId: z.coerce.number().int().optional(),
});

export function validateAppointment(req, res, next) {
  const schema = req.is('urlencoded') ? appointmentForm : appointment;
  const result = schema.safeParse(req.body);
  if (!result.success) {
    res.status(400).json({
      message: 'Validation failed',
      errors: result.error.issues.map((issue) => ({
        path: issue.path.join('.'),
        code: issue.code,
        message: issue.message,
      })),
    });
    return;
  }
  res.locals.appointment = result.data;
  next();
}

// Malformed JSON and bodies over the limit arrive here from the body parsers.
export function errorHandler(err, req, res, next) {
  if (res.headersSent) {
    next(err);
    return;
  }
  const status = err.status ?? 500;
  if (status >= 500) console.error(err);
  res.status(status).json({ message: err.expose ? err.message : 'Internal server error' });
}
