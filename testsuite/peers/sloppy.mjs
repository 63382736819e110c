import { randomUUID } from 'node:crypto';
import express from 'express';

const app = express();
const port = process.env.PORT || 3000;

app.use(express.json({ type: ['application/json', 'text/json'] }));
app.use(express.urlencoded({ extended: true }));

// ids, dates and lengths come later
app.post('/api/Calendar/PatientAppointmentPost_v2', (req, res) => {
  const body = req.body || {};

  if (!body.UserId) {
    return res.status(400).json({ error: 'UserId is required' });
  }
  if (!body.AppointmentOn) {
    return res.status(400).json({ error: 'AppointmentOn is required' });
  }
  if (!body.Reason) {
    return res.status(400).json({ error: 'Reason is required' });
  }
  if (!body.AccountId) {
    return res.status(400).json({ error: 'AccountId is required' });
  }

  const appointment = {
    Id: randomUUID(),
    UserId: body.UserId,
    PatientId: body.PatientId,
    ProviderId: body.ProviderId,
    AccountId: body.AccountId,
    AppointmentOn: body.AppointmentOn,
    Reason: body.Reason,
    Note: body.Note || '',
    PaidAmount: body.PaidAmount || 0,
    Reasons: body.Reasons || [],
  };

  res.json(appointment);
});

app.listen(port, '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${port}`);
});
