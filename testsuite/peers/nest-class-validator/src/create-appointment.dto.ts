import { Type } from 'class-transformer';
import {
  IsArray,
  IsDateString,
  IsInt,
  IsNumber,
  IsOptional,
  IsString,
  IsUUID,
  MaxLength,
  ValidateNested,
} from 'class-validator';

export class ReasonDto {
  @IsUUID()
  ReasonId!: string;
}

export class CreateAppointmentDto {
  @IsOptional()
  @IsUUID()
  EncounterTypeId?: string;

  @IsOptional()
  @IsUUID()
  EncounterTypeModeDurationId?: string;

  @IsOptional()
  @IsUUID()
  ProviderId?: string;

  @IsUUID()
  UserId!: string;

  @IsOptional()
  @IsUUID()
  PatientId?: string;

  @IsOptional()
  @IsUUID()
  SpecialityId?: string;

  @IsDateString()
  AppointmentOn!: string;

  @IsOptional()
  @IsDateString()
  SecondaryAppointmentOn?: string;

  // No @IsNotEmpty(): the page gives 0 as the lower bound of the length.
  @IsString()
  @MaxLength(250)
  Reason!: string;

  @IsOptional()
  @IsString()
  @MaxLength(1000)
  Note?: string;

  @IsOptional()
  @IsUUID()
  ParentId?: string;

  @IsOptional()
  @IsUUID()
  ReferredParentId?: string;

  // @Type on the two numbers, because a form delivers them as text.
  @IsOptional()
  @Type(() => Number)
  @IsNumber()
  PaidAmount?: number;

  @IsUUID()
  AccountId!: string;

  @IsOptional()
  @IsUUID()
  ServiceId?: string;

  @IsOptional()
  @Type(() => Number)
  @IsInt()
  MethodId?: number;

  @IsOptional()
  @IsString()
  IsCustomFormFlow?: string;

  @IsOptional()
  @IsString()
  DocIds?: string;

  @IsOptional()
  @IsArray()
  @ValidateNested({ each: true })
  @Type(() => ReasonDto)
  Reasons?: ReasonDto[];
}
