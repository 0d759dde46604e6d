using '../main.bicep'

param environmentName = 'with-sandbox'
param location = 'westeurope'
param principalId = '00000000-0000-0000-0000-000000000001'
param sandboxKey = 'a-key-for-a-snapshot-only'
