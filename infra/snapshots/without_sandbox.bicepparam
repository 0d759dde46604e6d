using '../main.bicep'

param environmentName = 'without-sandbox'
param location = 'westeurope'
param principalId = '00000000-0000-0000-0000-000000000001'
param sandboxKey = 'a-key-for-a-snapshot-only'
param deploySandbox = false
param appSettings = {
  BANK_URL: 'https://bank.example.com'
  PAYMENT_LIMIT_CENTS: '1000000'
}
