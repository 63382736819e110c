import { randomUUID } from 'node:crypto';
import { Body, Controller, HttpCode, HttpStatus, Post } from '@nestjs/common';
import { CreateAppointmentDto } from './create-appointment.dto.js';

@Controller('api/Calendar')
export class CalendarController {
  // Nest answers a POST with 201 by default.
  @Post('PatientAppointmentPost_v2')
  @HttpCode(HttpStatus.OK)
  create(@Body() dto: CreateAppointmentDto) {
    // The page does not describe the response body: an id and what was booked.
    return {
      Id: randomUUID(),
      UserId: dto.UserId,
      AccountId: dto.AccountId,
      AppointmentOn: dto.AppointmentOn,
    };
  }
}
