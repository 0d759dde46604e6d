using '../main.bicep'

param environmentName = 'by-pipeline'
param location = 'westeurope'
param principalId = '00000000-0000-0000-0000-000000000001'
param principalType = 'ServicePrincipal'
param pythonVersion = '3.13'
param sandboxKey = 'a-key-for-a-snapshot-only'
param alwaysReadyInstances = 2
param maximumInstanceCount = 100
param instanceMemoryMB = 4096
param alertMail = 'payables@example.com'
param entraClientId = '00000000-0000-0000-0000-00000000000c'
