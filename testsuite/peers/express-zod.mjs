import { randomUUID } from 'node:crypto';
import express from 'express';
import { errorHandler, validateAppointment } from './appointment-zod.mjs';

const HOST = '127.0.0.1';
const PORT = Number(process.env.PORT ?? 3000);

const app = express();
app.disable('x-powered-by');

app.use(express.json({ type: ['application/json', 'text/json'] }));
// extended, so that a form can carry the collection as Reasons[0][ReasonId]
app.use(express.urlencoded({ extended: true }));

app.post('/api/Calendar/PatientAppointmentPost_v2', validateAppointment, (req, res) => {
  const { UserId, AccountId, AppointmentOn } = res.locals.appointment;
  // The page does not describe the response body: an id and what was booked.
  res.json({ Id: randomUUID(), UserId, AccountId, AppointmentOn });
});

app.use((req, res) => {
  res.status(404).json({ message: 'Not found' });
});
app.use(errorHandler);

app.listen(PORT, HOST, (err) => {
  if (err) throw err;
  console.log(`listening on http://${HOST}:${PORT}`);
});
