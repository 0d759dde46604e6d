// The function app on the Flex Consumption plan, and all its settings.
param location string
param tags object
@minLength(13)
param token string
param identityName string
param pythonVersion string
param storageAccountName string
param deploymentContainerName string
param vaultUri string
param insightsName string
param subnetId string
@secure()
@description('Where the sandbox is, with its key. Empty: appSettings say where the parties are.')
param sandboxUrl string
param schedulerEndpoint string
param appSettings object
param instanceMemoryMB int
param maximumInstanceCount int
param alwaysReadyInstances int
param entraClientId string

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' existing = {
  name: identityName
}

resource storage 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: storageAccountName
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

// Each environment has a storage account of its own, so the task hub in host.json is its own, too.
// A setting that overrides the hub's name would keep the plan from scaling out on it: docs/deploying.md.
var platformSettings = {
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identity.properties.clientId
  AzureWebJobsStorage__blobServiceUri: storage.properties.primaryEndpoints.blob
  AzureWebJobsStorage__queueServiceUri: storage.properties.primaryEndpoints.queue
  AzureWebJobsStorage__tableServiceUri: storage.properties.primaryEndpoints.table
  APPLICATIONINSIGHTS_CONNECTION_STRING: insights.properties.ConnectionString
  PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY: 'true'
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identity.properties.clientId};Authorization=AAD'
}

var ownSettings = {
  SCANS_BY_EVENT_GRID: 'true'
  VENDOR_EVENTS_QUEUE: 'vendor-events'
  RETENTION_SCHEDULE: '0 30 3 * * *'
  DECISION_KEY: '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/decision-key)'
  DECISION_KEY_BEFORE: '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/decision-key-before)'
  LINK_KEY: '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/link-key)'
}

var partySettings = empty(sandboxUrl)
  ? {}
  : {
      BANK_URL: '${sandboxUrl}/bank'
      READER_URL: '${sandboxUrl}/reader'
      TAX_URL: '${sandboxUrl}/tax'
      RATES_URL: '${sandboxUrl}/rates'
      CENTRALBANK_URL: '${sandboxUrl}/centralbank'
      MAIL_URL: '${sandboxUrl}/mail'
      ORDERS_URL: '${sandboxUrl}/orders'
      POSTINGS_URL: '${sandboxUrl}/postings'
    }

var schedulerSettings = empty(schedulerEndpoint)
  ? {}
  : {
      DURABLE_TASK_SCHEDULER_CONNECTION_STRING: 'Endpoint=${schedulerEndpoint};Authentication=ManagedIdentity;ClientID=${identity.properties.clientId}'
    }

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: 'plan-${token}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { name: 'FC1', tier: 'FlexConsumption' }
  properties: { reserved: true }
}

resource site 'Microsoft.Web/sites@2024-04-01' = {
  name: 'func-${token}'
  location: location
  tags: union(tags, { 'azd-service-name': 'app' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identity.id}': {} }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identity.id
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    siteConfig: { minTlsVersion: '1.2' }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${storage.properties.primaryEndpoints.blob}${deploymentContainerName}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identity.id
          }
        }
      }
      runtime: { name: 'python', version: pythonVersion }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
        alwaysReady: alwaysReadyInstances == 0 ? [] : [{ name: 'durable', instanceCount: alwaysReadyInstances }]
      }
    }
  }

  resource settings 'config' = {
    name: 'appsettings'
    properties: union(platformSettings, ownSettings, partySettings, schedulerSettings, appSettings)
  }

  resource scmPassword 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: { allow: false }
  }

  // App Service authentication: callers sign in by Entra ID, and send the function key as before.
  resource signIn 'config' = if (!empty(entraClientId)) {
    name: 'authsettingsV2'
    properties: {
      platform: { enabled: true }
      globalValidation: {
        requireAuthentication: true
        unauthenticatedClientAction: 'RedirectToLoginPage'
        redirectToProvider: 'azureactivedirectory'
        // Event Grid and the deployment bring keys of the host, not tokens.
        excludedPaths: ['/runtime/webhooks/blobs']
      }
      identityProviders: {
        azureActiveDirectory: {
          enabled: true
          registration: {
            clientId: entraClientId
            openIdIssuer: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
          }
          validation: { allowedAudiences: [entraClientId, 'api://${entraClientId}'] }
        }
      }
      login: { tokenStore: { enabled: false } }
    }
  }
}

output name string = site.name
output url string = 'https://${site.properties.defaultHostName}'
