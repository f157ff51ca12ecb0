// Endpoint keys that are about to expire, or have, from the vault to the queue `events`.
// The vault is this installation's own, so that it has no system topic yet.
param vaultName string
param tags object
param suffix string
param senderId string
param queueId string
param storageId string
param deadLetterContainer string

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' existing = {
  name: vaultName
}

resource expiries 'Microsoft.EventGrid/systemTopics@2022-06-15' = {
  name: 'rollout-expiries-${suffix}'
  location: vault.location
  tags: tags
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${senderId}': {} } }
  properties: {
    source: vault.id
    topicType: 'Microsoft.KeyVault.vaults'
  }
}

resource secretExpires 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2022-06-15' = {
  parent: expiries
  name: 'rollout-${suffix}'
  properties: {
    deliveryWithResourceIdentity: {
      identity: { type: 'UserAssigned', userAssignedIdentity: senderId }
      destination: {
        endpointType: 'ServiceBusQueue'
        properties: { resourceId: queueId }
      }
    }
    deadLetterWithResourceIdentity: {
      identity: { type: 'UserAssigned', userAssignedIdentity: senderId }
      deadLetterDestination: {
        endpointType: 'StorageBlob'
        properties: { resourceId: storageId, blobContainerName: deadLetterContainer }
      }
    }
    retryPolicy: { maxDeliveryAttempts: 30, eventTimeToLiveInMinutes: 1440 }
    eventDeliverySchema: 'EventGridSchema'
    filter: {
      includedEventTypes: ['Microsoft.KeyVault.SecretNearExpiry', 'Microsoft.KeyVault.SecretExpired']
    }
  }
}
